import { afterAll, expect, test } from "bun:test";
import { bizra, bizraJson, homeOf, makeTestnet } from "./support/bizra.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
afterAll(() => place.end());

test("events: a home's lanes listed while its node runs and after, the same, and verified offline; another's identity is noticed", async () => {
  const net = await makeTestnet(place.at("events"));
  const home = homeOf(net);
  const node = await place.start(home);
  const listed = async (...words: string[]): Promise<string[]> => {
    const { code, out } = await bizra("events", "list", "--home", home, "--json", ...words);
    expect(code).toBe(0);
    return out.split("\n").filter((line) => line !== "");
  };
  const hashesOf = (lines: readonly string[]): string[] => lines.map((line) => String(JSON.parse(line).hash));
  const running = hashesOf(await listed("--lane", "crit"));
  expect(running.length).toBeGreaterThan(0);
  await node.stop();
  const stopped = await listed("--lane", "crit");
  expect(hashesOf(stopped).slice(0, running.length)).toEqual(running);
  const typesOf = (lines: readonly string[]): string[] => lines.map((line) => String(JSON.parse(line).type));
  expect(typesOf(await listed("--lane", "crit", "--type", "configuration"))).toEqual(["configuration.changed"]);
  expect(await listed("--lane", "chain", "--since", "2999-01-01T00:00:00Z")).toEqual([]);
  expect(await listed("--lane", "crit", "--limit", "1")).toEqual(stopped.slice(0, 1));

  const verified = await bizraJson("events", "verify", "--home", home);
  expect(verified).toMatchObject({
    ok: true,
    lanes: [{ lane: "crit", checkpoint: { verdict: "covers" } }, { lane: "chain" }, { lane: "ops" }],
  });

  const identity = `${home}/keys/identity.json`;
  const other = await Bun.file(`${home}/keys/validator.json`).text(); // a key that did not sign the checkpoints
  await Bun.write(identity, other);
  const foreign = await bizra("events", "verify", "--home", home, "--lane", "crit", "--json");
  expect([foreign.code, JSON.parse(foreign.out).lanes[0].checkpoint.verdict]).toEqual([1, "wrong"]);
  expect((await bizra("events", "list", "--home", home, "--lane", "no-lane")).code).toBe(2);
}, 120_000);
