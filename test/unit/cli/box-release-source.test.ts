import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ReleaseSource } from "../../../src/cli/box/release-source.ts";
import { type Log, silentLog } from "../../../src/kernel/index.ts";
import { ENROLMENT_FILES } from "../../../sync/agent/index.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-releases-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A box that was told something, and maybe enrolled. */
function boxOf(name: string, policy: string | undefined, aggregator?: string) {
  const home = join(folder, name);
  mkdirSync(home);
  const file = join(home, "update.json");
  if (policy !== undefined) writeFileSync(file, policy);
  if (aggregator !== undefined) {
    const bundle = join(home, ENROLMENT_FILES.bundle);
    mkdirSync(dirname(bundle), { recursive: true });
    writeFileSync(bundle, "a certificate");
    writeFileSync(join(home, "node.toml"), `version = 1\n\n[sync]\naggregators = ["${aggregator}"]\n`);
  }
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (event) => void warnings.push(event) };
  return { source: new ReleaseSource(home, file, log), warnings };
}

describe("where a box finds releases", () => {
  test("box: told nothing, nothing is taken and no channel asked", () => {
    const { source, warnings } = boxOf("untold", undefined, "https://fleet.example:8700");
    expect(source.policy()).toEqual({ channel: "none" });
    expect(source.findChannel(source.policy())).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  test("box: told a channel, found at the aggregator it is enrolled at; nowhere while it is not; where it was told, before either", () => {
    const enrolled = boxOf("enrolled", '{"channel":"stable"}', "https://fleet.example:8700").source;
    expect(enrolled.findChannel(enrolled.policy())).toBe("https://fleet.example:8700/releases/v1/stable/");
    const alone = boxOf("alone", '{"channel":"beta"}').source;
    expect(alone.findChannel(alone.policy())).toBeUndefined();
    const told = boxOf("told", '{"channel":"beta","url":"https://releases.example/bizra/"}', "https://fleet.example:8700").source;
    expect(told.findChannel(told.policy())).toBe("https://releases.example/bizra/beta/");
  });

  test("box: what was told cannot be read, taken as nothing and said once", () => {
    const { source, warnings } = boxOf("garbled", '{"channel":');
    for (let i = 0; i < 3; i++) expect(source.policy()).toEqual({ channel: "none" });
    expect(warnings).toEqual(["update.policyUnread"]);
  });

  test("box: servers other than the aggregator, asked without its certificates", async () => {
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("a file") });
    const { source } = boxOf("asking", '{"channel":"beta"}', "https://fleet.example:8700");
    const answer = await source.ask(`http://127.0.0.1:${server.port}/x`, { headers: {}, signal: AbortSignal.timeout(60_000) });
    expect(await answer.text()).toBe("a file");
    await server.stop(true);
  });
});
