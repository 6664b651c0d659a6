import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPayload } from "../../../appliance/ota/index.ts";
import { filesOf } from "../../../image/build.ts";
import { buildBundle, verifyBundle } from "../../../image/bundle.ts";
import { sha256Hex } from "../../../image/hashes.ts";
import { layOut, partitionsOf } from "../../../image/layout/partitions.ts";
import { formatManifest, type ImageManifest } from "../../../image/manifest.ts";
import { openKeys, type SigningKeys } from "../../../image/signing/keys.ts";
import { signFile } from "../../../image/signing/signature.ts";
import { missingPackages } from "../../../image/tools.ts";
import { installPackages } from "../../e2e/support/debian.ts";

const lacking = missingPackages(["mksquashfs", "openssl", "rauc"]);
const unavailable = lacking.length === 0 ? undefined : await installPackages(lacking);
if (unavailable !== undefined) console.warn(`SKIPPED: no bundles are made here, ${unavailable}`);

const NAME = "bizra-amd64-cloud-development-1.1.0";
const LIMIT_MS = 120_000;
let folder = "";
let keys: SigningKeys;

/** What a build leaves, with noise for a system: for a bundle bytes are bytes. */
async function layBuilt(): Promise<void> {
  folder = mkdtempSync(join(tmpdir(), "bizra-bundle-"));
  keys = await openKeys(join(folder, "keys"));
  const files = filesOf(folder, NAME);
  const noise = (bytes: number, step: number): Uint8Array => Uint8Array.from({ length: bytes }, (_, i) => (i * step + (i >> 9)) & 255);
  const [root, boot] = [noise(40 * 4096, 7), noise(10 * 4096, 11)];
  writeFileSync(files.rootSlot, root);
  writeFileSync(files.bootSlot, boot);
  const hash = "0".repeat(64);
  const { partitions, diskBytes } = layOut(partitionsOf("amd64"));
  const manifest: ImageManifest = {
    schema: 1,
    name: NAME,
    version: "1.1.0",
    architecture: "amd64",
    kernel: "cloud",
    variant: "development",
    compatible: "bizra-amd64-cloud-development",
    node: { version: "0.1.0", sha256: hash },
    verity: { blocks: 40, rootHash: hash, salt: hash },
    slot: { rootSha256: sha256Hex(root), bootSha256: sha256Hex(boot), rootBytes: root.length, bootBytes: boot.length },
    secureBoot: { certificate: "", bootKey: "" },
    packagesSha256: hash,
    materialsSha256: hash,
    diskBytes,
    partitions: partitions.map(({ label, offsetBytes, sizeBytes }) => ({ label, offsetBytes, sizeBytes, use: "fixed", sha256: hash })),
    reproducible: [],
  };
  writeFileSync(files.manifest, formatManifest(manifest));
  await signFile(files.manifest, files.signature, keys);
}

describe.skipIf(unavailable !== undefined)("update bundle", () => {
  beforeAll(layBuilt, LIMIT_MS);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test(
    "image: a bundle of a built image, is good for its kind of box and for no other, and no stranger's",
    async () => {
      const path = await buildBundle({ folder, name: NAME, keys });
      const good = await verifyBundle({ path, authority: keys.authority, compatible: "bizra-amd64-cloud-development" });
      expect(good).toMatchObject({ isGood: true, version: "1.1.0", compatible: "bizra-amd64-cloud-development" });
      expect(await checkPayload(path)).toEqual({ ok: true, value: undefined });

      // Its blocks are those of the slot, one by one.
      const payload = readFileSync(path);
      for (const slot of [filesOf(folder, NAME).rootSlot, filesOf(folder, NAME).bootSlot]) {
        const at = payload.indexOf(readFileSync(slot));
        expect([at > 0, at % 4096]).toEqual([true, 0]);
      }

      const wrongBoard = await verifyBundle({ path, authority: keys.authority, compatible: "bizra-arm64-generic" });
      expect(wrongBoard.checks.filter(({ isOk }) => !isOk)).toEqual([
        { check: "kind of box", isOk: false, detail: "it is for bizra-amd64-cloud-development, not for bizra-arm64-generic" },
      ]);
      const others = await openKeys(join(folder, "others"));
      expect((await verifyBundle({ path, authority: others.authority })).isGood).toBe(false);

      const file = openSync(path, "r+");
      writeSync(file, Uint8Array.of(0xff, 0x00, 0xff), 0, 3, 4_000);
      closeSync(file);
      expect((await checkPayload(path)).ok).toBe(false);
    },
    LIMIT_MS,
  );

  test(
    "image: a slot that was changed after it was signed, becomes no bundle",
    async () => {
      writeFileSync(filesOf(folder, NAME).bootSlot, "another kernel");
      await expect(buildBundle({ folder, name: NAME, keys })).rejects.toThrow("but it was changed");
      await expect(buildBundle({ folder, name: "bizra-none", keys })).rejects.toThrow("which `bizra image build` leaves");
    },
    LIMIT_MS,
  );
});
