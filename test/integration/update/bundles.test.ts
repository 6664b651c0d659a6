import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { type BundleBar, checkBundle, checkWord, fetchByBlocks, RaucInstaller } from "../../../appliance/ota/index.ts";
import { silentLog } from "../../../src/kernel/index.ts";
import { systemTimers } from "../../../src/node/index.ts";
import { UpdateWorld } from "../../e2e/support/update-world.ts";
import { Workplace } from "../../e2e/support/workplace.ts";

const BAR: Omit<BundleBar, "isUnattended"> = { stamp: { compatible: "bizra-amd64-cloud", version: "1.0.0" }, floor: "1.0.0", failed: [] };

const place = new Workplace();
let world: UpdateWorld | undefined;

beforeAll(async () => {
  const made = await UpdateWorld.make(place, "1.0.0");
  if (typeof made === "string") console.warn(`SKIPPED, ${made}`);
  else world = made;
}, 300_000);

const servers: Bun.Server<undefined>[] = [];
afterAll(async () => {
  for (const server of servers) await server.stop(true);
  await place.end();
});

/** What comes of checking a file with Debian's rauc. */
async function codeOf(machine: UpdateWorld, path: string, sha256?: string): Promise<string> {
  const installer = new RaucInstaller([machine.at("rauc")], systemTimers);
  const order = { source: { kind: "file", path }, isUnattended: false, ...(sha256 !== undefined && { sha256 }) } as const;
  const checked = await checkBundle(path, order, BAR, installer);
  return checked.ok ? `ok ${checked.value.version}` : checked.error.code;
}

/** A server of ranges over a file. */
function serve(path: string) {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ headers }) => answer(readFileSync(path), headers.get("range") ?? ""),
  });
  servers.push(server);
  return { url: `http://127.0.0.1:${server.port}/new.raucb` };
}

function answer(file: Buffer, range: string): Response {
  const [, from = "", to = ""] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? [];
  const begin = from === "" ? Math.max(0, file.length - Number(to)) : Number(from);
  const end = from === "" ? file.length : Number(to) + 1;
  const headers = { "content-range": `bytes ${begin}-${end - 1}/${file.length}` };
  return new Response(new Uint8Array(file.subarray(begin, end)), { status: 206, headers });
}

describe("bundles by Debian's rauc", () => {
  test("ota: by blocks from a server, judged by their end alone as they are when they are whole", async () => {
    if (!world) return;
    const machine = world;
    const installer = new RaucInstaller([machine.at("rauc")], systemTimers);
    const order = { source: { kind: "file", path: "" }, isUnattended: false } as const;
    const cases: readonly (readonly [string, string])[] = [
      [await machine.bundle("by-blocks", { version: "1.1.0" }), "ok"],
      [await machine.bundle("by-blocks-stranger", { version: "1.1.0", signer: "stranger" }), "foreignSignature"],
      [await machine.bundle("by-blocks-older", { version: "0.9.9" }), "downgrade"],
      [await machine.bundle("by-blocks-board", { version: "1.1.0", board: "bizra-arm64-cloud" }), "wrongBoard"],
    ];
    for (const [path, expected] of cases) {
      const { url } = serve(path);
      const fetched = await fetchByBlocks(url, {
        ...{ folder: machine.at("download"), timers: systemTimers, ask: fetch, slots: [], log: silentLog, onProgress: () => {} },
        judge: (file) => checkWord(file, order, BAR, installer),
      });
      expect([path, fetched === "noRanges" ? fetched : fetched.ok ? "ok" : fetched.error.code]).toEqual([path, expected]);
      if (fetched !== "noRanges" && fetched.ok) expect(readFileSync(fetched.value.path).equals(readFileSync(path))).toBe(true);
    }
    expect(machine.done).toEqual([]);
  }, 120_000);

  test("ota: the right one passes; another's, an older, a cut and a changed one do not, and no slot is touched", async () => {
    if (!world) return;
    const machine = world;
    const path = await machine.bundle("good", { version: "1.1.0" });
    const good = readFileSync(path);
    const write = (name: string, bytes: Buffer): string => {
      writeFileSync(machine.at(name), bytes);
      return machine.at(name);
    };
    const signatureBytes = Number(good.readBigUInt64BE(good.length - 8));
    const treeAt = good.length - 8 - signatureBytes - 4_096;
    const flipped = (at: number): Buffer => {
      const bytes = Buffer.from(good);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      return bytes;
    };
    const cases: readonly (readonly [string, string])[] = [
      [path, "ok 1.1.0"],
      [write("cut.raucb", good.subarray(0, 100_000)), "truncated"],
      [write("cut-at-the-end.raucb", good.subarray(0, -1)), "truncated"],
      [write("text.raucb", Buffer.from("hello")), "truncated"],
      [write("empty.raucb", Buffer.alloc(0)), "truncated"],
      [write("changed.raucb", flipped(20_000)), "tampered"],
      [write("changed-tree.raucb", flipped(treeAt + 40)), "tampered"],
      [write("changed-manifest.raucb", flipped(good.indexOf("version=1.1.0") + 8)), "tampered"],
      [await machine.bundle("stranger", { version: "1.1.0", signer: "stranger" }), "foreignSignature"],
      [await machine.bundle("dev", { version: "1.1.0", signer: "stranger", board: "bizra-amd64-cloud-development" }), "developmentSigned"],
      [await machine.bundle("board", { version: "1.1.0", board: "bizra-arm64-cloud" }), "wrongBoard"],
      [await machine.bundle("older", { version: "0.9.9" }), "downgrade"],
      [await machine.bundle("same", { version: "1.0.0" }), "sameVersion"],
      [await machine.bundle("named", { version: "newest" }), "malformed"],
      [machine.at("absent.raucb"), "notFound"],
    ];
    for (const [file, expected] of cases) expect([file, await codeOf(machine, file)]).toEqual([file, expected]);
    expect(await codeOf(machine, path, "0".repeat(64))).toBe("tampered");
    expect(await codeOf(machine, path, new Bun.SHA256().update(good).digest("hex"))).toBe("ok 1.1.0");
    expect(machine.done).toEqual([]);
  }, 120_000);
});
