import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bizra, homeOf, makeTestnet, type Testnet } from "./support/bizra.ts";
import { BoxUnderTest } from "./support/box-process.ts";
import { NotifyReceiver } from "./support/notify-receiver.ts";
import { goneFrom, isNodeOf } from "./support/up-process.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
let net: Testnet;

beforeAll(async () => {
  net = await makeTestnet(place.at("net"));
}, 240_000);

afterAll(() => place.end());

/** A box on a copy of the network's one home. */
function startBox(words: readonly string[] = [], environment: Readonly<Record<string, string>> = {}): BoxUnderTest {
  return place.keep(new BoxUnderTest(place.copyOf(homeOf(net)), words, environment));
}

const isRunning = ({ node }: { readonly node: { readonly phase: string } }): boolean => node.phase === "running";

describe("a box", () => {
  test("e2e: the node is killed, a new one runs; a second box on the home is refused; SIGTERM stops both in order", async () => {
    const box = startBox();
    const first = await box.until(isRunning);
    expect(first.node.isWorking).toBe(true);
    expect((await fetch(`${first.node.http}/readyz`)).ok).toBe(true);
    const second = await bizra("box", "run", "--home", box.home);
    expect([second.code, second.err]).toEqual([1, expect.stringContaining("(boxRuns)")]);
    process.kill(first.node.pid ?? 0, "SIGKILL");
    const again = await box.until(({ node }) => node.phase === "running" && node.pid !== first.node.pid);
    expect(again.node.restarts).toBe(1);
    const restarted = await bizra("box", "restart", "--home", box.home);
    expect(restarted.code).toBe(0);
    const third = await box.until(({ node }) => node.phase === "running" && node.pid !== again.node.pid);
    expect(third.node.restarts).toBe(1);
    expect(await box.stop()).toBe(0);
    expect(isNodeOf(third.node.pid ?? 0, box.home)).toBe(false);
    expect(box.output).toContain('"node.stopped"');
    const gone = await bizra("box", "status", "--home", box.home);
    expect([gone.code, gone.err]).toEqual([1, expect.stringContaining("(boxNotRunning)")]);
  }, 240_000);

  test("e2e: the node hangs, killed and started again; the box is killed, its node ends too", async () => {
    const box = startBox(["--hang-seconds", "6"]);
    const first = await box.until(isRunning);
    process.kill(first.node.pid ?? 0, "SIGSTOP");
    const again = await box.until(({ node }) => node.phase === "running" && node.pid !== first.node.pid);
    expect(isNodeOf(first.node.pid ?? 0, box.home)).toBe(false);
    expect(box.output).toContain("was not healthy for 6000 ms");
    box.kill();
    await goneFrom(again.node.pid ?? 0, box.home, 90_000);
  }, 240_000);

  test("e2e: a node that cannot start, failed with its own words; mended and restarted, it runs", async () => {
    const box = startBox(["--restarts-max", "1"]);
    const first = await box.until(isRunning);
    writeFileSync(join(box.home, "node.toml"), "version = 1\n[htp]\n");
    process.kill(first.node.pid ?? 0, "SIGKILL");
    const failed = await box.until(({ node }) => node.phase === "failed");
    expect(failed.node.detail).toContain("ended with exit code 1; 1 restarts");
    expect(failed.node.pid).toBeUndefined();
    const lines = await bizra("box", "status", "--home", box.home, "--lines");
    expect(lines.out).toContain('expected a known section, got "htp"');
    writeFileSync(join(box.home, "node.toml"), 'version = 1\n[keys]\npassphraseFile = "keys/passphrase"\n');
    expect((await bizra("box", "restart", "--home", box.home)).code).toBe(0);
    await box.until(isRunning);
    expect(await box.stop()).toBe(0);
  }, 240_000);

  test("e2e: a box without a network, up and waiting; SIGTERM ends it", async () => {
    const home = place.at("empty");
    mkdirSync(home);
    const box = place.keep(new BoxUnderTest(home));
    const status = await box.until(() => true);
    expect(status).toMatchObject({ hasNode: false, node: { phase: "stopped" } });
    const refused = await bizra("box", "restart", "--home", home);
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("(notProvisioned)")]);
    expect(await box.stop()).toBe(0);
  }, 240_000);

  test("e2e: a factory reset of the settings, the same validator goes on; of everything, asked twice, nothing is left", async () => {
    const box = startBox();
    const before = await box.until(isRunning);
    const validatorOf = async (http: string | undefined) =>
      ((await (await fetch(`${http}/api/v2/status`)).json()) as { validator: string }).validator;
    const validator = await validatorOf(before.node.http);
    writeFileSync(join(box.home, "mqtt-access.json"), "{}");
    const words = ["--home", box.home, "--system", place.at("no-system")];
    expect((await bizra("box", "reset", "--settings", ...words)).code).toBe(0);
    const after = await box.until(({ node }) => node.phase === "running" && node.pid !== before.node.pid);
    expect(existsSync(join(box.home, "mqtt-access.json"))).toBe(false);
    expect(await validatorOf(after.node.http)).toBe(validator);
    const unsure = await bizra("box", "reset", "--everything", ...words);
    expect([unsure.code, unsure.err]).toEqual([1, expect.stringContaining(`--confirm ${validator.slice(0, 8)} (notConfirmed)`)]);
    expect((await box.until(isRunning)).node.pid).toBe(after.node.pid);
    expect((await bizra("box", "reset", "--everything", "--confirm", validator.slice(0, 8), ...words)).code).toBe(0);
    expect(await box.until(({ hasNode }) => !hasNode)).toMatchObject({ node: { phase: "stopped" } });
    expect(readdirSync(box.home)).toEqual(["box"]);
    expect(await box.stop()).toBe(0);
  }, 240_000);

  test("e2e: systemd hears on its socket: put off, ready, fed for health, never while the node hangs, stopping", async () => {
    const receiver = await NotifyReceiver.start(place);
    if (typeof receiver === "string") {
      console.warn(`SKIPPED, ${receiver}`);
      return;
    }
    const box = startBox(["--hang-seconds", "8"], { NOTIFY_SOCKET: receiver.path, WATCHDOG_USEC: "30000000" });
    await receiver.until("READY=1");
    await receiver.until("WATCHDOG_USEC=30000000\nWATCHDOG=1");
    expect(receiver.messages.findIndex((m) => m.includes("WATCHDOG_USEC=1200000000"))).toBeLessThan(receiver.messages.indexOf("READY=1"));
    const { node } = await box.until(isRunning);
    await receiver.until("STATUS=running: the node runs: level with the chain");
    process.kill(node.pid ?? 0, "SIGSTOP");
    await receiver.until("STATUS=running: the node runs: it does not answer");
    const silentFrom = receiver.messages.findLastIndex((m) => m.includes("it does not answer"));
    await receiver.until("STATUS=backing-off", 60_000, silentFrom);
    const until = receiver.messages.findIndex((m, i) => i > silentFrom && m.includes("STATUS=backing-off"));
    expect(receiver.messages.slice(silentFrom, until).filter((m) => m.includes("WATCHDOG=1"))).toEqual([]);
    await receiver.until("WATCHDOG=1", 60_000, until);
    expect(receiver.messages.filter((m) => m.includes("READY=1")).length).toBe(1);
    expect(await box.stop()).toBe(0);
    await receiver.until("STOPPING=1");
  }, 240_000);
});
