import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { bizra, bizraJson, homeOf, makeTestnet } from "./support/bizra.ts";
import { BoxUnderTest } from "./support/box-process.ts";
import { UpdateWorld } from "./support/update-world.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
let home = "";
let world: UpdateWorld | undefined;

beforeAll(async () => {
  home = homeOf(await makeTestnet(place.at("net")));
  const made = await UpdateWorld.make(place, "1.0.0");
  if (typeof made === "string") console.warn(`SKIPPED, ${made}`);
  else world = made;
}, 300_000);

afterAll(() => place.end());

function start(machine: UpdateWorld, words: readonly string[] = []): BoxUnderTest {
  return place.keep(new BoxUnderTest(home, [...machine.words, ...words]));
}

/** The row of the update once it is of this kind. */
async function untilRow(box: BoxUnderTest, kind: string, limitMs = 90_000): Promise<Record<string, unknown>> {
  const deadline = performance.now() + limitMs;
  let row: Record<string, unknown> = {};
  while (performance.now() < deadline) {
    row = ((await box.ask("/update"))?.["row"] ?? {}) as Record<string, unknown>;
    if (row["kind"] === kind) return row;
    await Bun.sleep(100);
  }
  throw new Error(`the update is not ${kind}: ${JSON.stringify(row)}\n${box.output.slice(-2_000)}`);
}

async function untilReboot(machine: UpdateWorld, box: BoxUnderTest): Promise<void> {
  const deadline = performance.now() + 90_000;
  while (!machine.wantsReboot) {
    if (performance.now() > deadline) throw new Error(`no restart was ordered: ${box.output.slice(-2_000)}`);
    await Bun.sleep(50);
  }
}

/** A server of ranges that answers the second request with a part and is silent until it is cut off; notes where it was asked to begin. */
async function stutteringServer(bytes: Buffer, piece: number) {
  const begins: number[] = [];
  const silent = Promise.withResolvers<Socket>();
  const server = createServer((socket) => {
    socket.on("error", () => {}); // whoever asked may be gone
    socket.once("data", (asked) => {
      const [, first = "", last = ""] = /^range: bytes=(\d*)-(\d*)/im.exec(asked.toString()) ?? [];
      const from = first === "" ? bytes.length - Number(last) : Number(first);
      const to = first === "" ? bytes.length : Number(last) + 1;
      begins.push(from);
      const head = `206 Partial Content\r\nContent-Range: bytes ${from}-${to - 1}/${bytes.length}\r\nETag: "one"`;
      socket.write(`HTTP/1.1 ${head}\r\nContent-Length: ${to - from}\r\nConnection: close\r\n\r\n`);
      if (begins.length !== 2) socket.end(bytes.subarray(from, to));
      else socket.write(bytes.subarray(from, from + piece), () => silent.resolve(socket));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const cut = async (): Promise<void> => void (await silent.promise).destroy();
  return { url: `http://127.0.0.1:${port}/new.raucb`, begins, cut, stop: () => server.close() };
}

describe("updates of a box", () => {
  test("e2e: bundles that are not for this box, each refused with its code before a slot is touched", async () => {
    if (!world) return;
    const machine = world;
    const box = start(machine);
    await untilRow(box, "idle");
    const good = readFileSync(await machine.bundle("good", { version: "1.1.0" }));
    writeFileSync(machine.at("cut.raucb"), good.subarray(0, 100_000));
    const cases: readonly (readonly [string, string])[] = [
      [machine.at("cut.raucb"), "truncated"],
      [await machine.bundle("stranger", { version: "1.1.0", signer: "stranger" }), "foreignSignature"],
      [machine.at("absent.raucb"), "notFound"],
    ];
    for (const [path, code] of cases) {
      const { code: exit, err } = await bizra("update", "install", path, "--home", home);
      expect([path, exit, err]).toEqual([path, 1, expect.stringContaining(`(${code})`)]);
    }
    expect(machine.done.filter((what) => !what.startsWith("mark-good"))).toEqual([]);
    expect(await box.stop()).toBe(0);
  }, 300_000);

  test("e2e: a release from a server that cuts off, installed, started, committed; a broken one, taken back by itself", async () => {
    if (!world) return;
    const machine = world;
    const before = machine.done.length;
    let box = start(machine);
    await untilRow(box, "idle");
    await box.until(({ node }) => node.phase === "running");
    const server = await stutteringServer(readFileSync(machine.at("good.raucb")), 120_000);
    await bizraJson("update", "install", server.url, "--home", home, "--no-wait");
    while ((await box.ask("/update"))?.["progress"] === undefined) await Bun.sleep(20);
    await server.cut();
    await untilReboot(machine, box);
    server.stop();
    const size = readFileSync(machine.at("good.raucb")).length;
    expect(server.begins).toEqual([size - 65_536, 0, expect.any(Number)]);
    expect(server.begins[2]).toBeGreaterThan(0);
    expect((await bizraJson("update", "status", "--home", home))["fetched"]).toMatchObject({ of: size });
    expect(await box.stop()).toBe(0);
    machine.reboot();

    box = start(machine);
    expect(await untilRow(box, "good")).toEqual({ kind: "good", version: "1.1.0" });
    const done = machine.done.slice(before);
    expect(done.slice(done.indexOf("reboot"))).toEqual(["reboot", "mark-good booted"]);
    expect(done.filter((what) => what === "install")).toEqual(["install"]);

    const next = await machine.bundle("next", { version: "1.2.0" });
    await bizraJson("update", "install", next, "--home", home);
    await untilReboot(machine, box);
    expect(await box.stop()).toBe(0);
    machine.reboot();
    const settings = readFileSync(join(home, "node.toml"), "utf8");
    writeFileSync(join(home, "node.toml"), "version = 1\n[htp]\n"); // the new release cannot run
    box = start(machine, ["--restarts-max", "0"]);
    await untilReboot(machine, box);
    expect(machine.done.slice(-3)).toEqual(["mark-active other", "mark-bad booted", "reboot"]);
    expect(await box.stop()).toBe(0);
    machine.reboot();
    writeFileSync(join(home, "node.toml"), settings);

    box = start(machine);
    const back = await untilRow(box, "rolledBack");
    expect(back).toMatchObject({ version: "1.2.0", trouble: { code: "nodeFailed" } });
    const status = await bizraJson("update", "status", "--home", home);
    expect(status).toMatchObject({ version: "1.1.0", floor: "1.1.0", failed: ["1.2.0"] });
    expect(await box.stop()).toBe(0);
  }, 300_000);

  test("e2e: a bundle is published into a channel, and a box finds it there; what no box would take is not published", async () => {
    if (!world) return;
    const machine = world;
    const [bundle, foreign] = [
      await machine.bundle("published", { version: "1.3.0" }),
      await machine.bundle("unpublished", { version: "1.4.0", signer: "stranger" }),
    ];
    const folder = place.at("objects");
    const publish = (path: string) => ["bundle", "publish", path, "--objects", folder, "--trust", machine.at("maker.pem")];
    expect(await bizraJson(...publish(bundle), "--channel", "beta")).toMatchObject({ channel: "beta", version: "1.3.0" });
    expect((await bizra(...publish(foreign))).code).toBe(1);
    expect((await bizra(...publish(bundle), "--channel", "nightly")).code).toBe(2);
    expect(existsSync(join(folder, "releases/stable"))).toBe(false);

    const asked: string[] = [];
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: ({ url }) => {
        asked.push(new URL(url).pathname);
        return new Response(Bun.file(join(folder, new URL(url).pathname)));
      },
    });
    writeFileSync(machine.at("policy.json"), JSON.stringify({ channel: "beta", url: `http://127.0.0.1:${server.port}/releases` }));
    const box = start(machine, ["--update-policy", machine.at("policy.json")]);
    await box.until(() => true);
    expect(await bizraJson("update", "check", "--home", home)).toMatchObject({ offer: { version: "1.3.0" } });
    expect(asked).toEqual(["/releases/beta/bizra-amd64-cloud.json"]);
    expect(await bizraJson("update", "status", "--home", home)).toMatchObject({ channel: "beta" });
    expect(await box.stop()).toBe(0);
    await server.stop(true);
  }, 120_000);

  test("e2e: a machine that is no image of a box, said so", async () => {
    const box = place.keep(new BoxUnderTest(home, ["--os-release", "/dev/null"]));
    await box.until(() => true);
    const { code, err } = await bizra("update", "status", "--home", home);
    expect([code, err]).toEqual([1, expect.stringContaining("(notAnImage)")]);
    expect(await box.stop()).toBe(0);
  }, 120_000);
});
