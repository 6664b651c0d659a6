import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { type BundleBar, checkBundle, RaucInstaller } from "../../../appliance/ota/index.ts";
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

afterAll(() => place.end());

/** What comes of checking a file with Debian's rauc. */
async function codeOf(machine: UpdateWorld, path: string, sha256?: string): Promise<string> {
  const installer = new RaucInstaller([machine.at("rauc")], systemTimers);
  const order = { source: { kind: "file", path }, isUnattended: false, ...(sha256 !== undefined && { sha256 }) } as const;
  const checked = await checkBundle(path, order, BAR, installer);
  return checked.ok ? `ok ${checked.value.version}` : checked.error.code;
}

describe("bundles by Debian's rauc", () => {
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
