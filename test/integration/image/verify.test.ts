import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { filesOf } from "../../../image/build.ts";
import { makeBootImage } from "../../../image/disk/slot-images.ts";
import { formatManifest, type ImageManifest, parseManifest } from "../../../image/manifest.ts";
import { provisionImage, readGivenFiles, readProvisionPartition } from "../../../image/provision.ts";
import { signProgram } from "../../../image/signing/authenticode.ts";
import { loaderKey } from "../../../image/signing/boot-files.ts";
import { type BootKeys, openBootKeys } from "../../../image/signing/boot-keys.ts";
import { openKeys, type SigningKeys } from "../../../image/signing/keys.ts";
import { signFile } from "../../../image/signing/signature.ts";
import { missingPackages } from "../../../image/tools.ts";
import { type ImageVerdict, verifyImage } from "../../../image/verify.ts";
import { buildVerity } from "../../../image/verity.ts";
import { writeDisk } from "../../../image/write-disk.ts";
import { installPackages } from "../../e2e/support/debian.ts";
import { efiProgram } from "./efi-program.ts";

/** What writing and verifying a disk calls; building one from packages needs more. */
const lacking = missingPackages(["faketime", "mcopy", "mkfs.vfat", "mke2fs", "mksquashfs", "openssl", "sbsign", "sbverify", "unsquashfs"]);
const unavailable = lacking.length === 0 ? undefined : await installPackages(lacking);
if (unavailable !== undefined) console.warn(`SKIPPED: images are not verified here, ${unavailable}`);

const LIMIT_MS = 240_000;
let folder = "";
let keys: SigningKeys;
let bootKeys: BootKeys;
let manifest: ImageManifest;
let image = "";

/** A disk with every partition, whose programs hold noise in place of a system: for verification bytes are bytes. */
async function makeImage(): Promise<void> {
  folder = mkdtempSync(join(tmpdir(), "bizra-verify-test-"));
  keys = await openKeys(join(folder, "keys"));
  const noise = (bytes: number): Uint8Array => Uint8Array.from({ length: bytes }, (_, i) => (i * 131 + (i >> 8)) & 255);
  const content = noise(50 * 4096);
  const { table, tree } = buildVerity(content, new Uint8Array(32).fill(7));
  const identity = { version: "1.0.0", architecture: "amd64", kernel: "cloud", variant: keys.variant } as const;
  const files = filesOf(folder, "bizra-amd64-cloud-development-1.0.0");
  image = files.image;
  const work = join(folder, "work");
  mkdirSync(work);
  bootKeys = await openBootKeys(join(folder, "keys"), keys.variant);
  const loader = await signProgram(efiProgram(Buffer.concat([noise(5_000), loaderKey(bootKeys.boot)])), bootKeys, work);
  const boot = await makeBootImage({ kernel: efiProgram(noise(9_000)), initrd: noise(20_000), verity: table }, bootKeys, work);
  const slot = { root: new Uint8Array(Buffer.concat([content, tree])), boot, verity: table };
  const hash = "0".repeat(64);
  const provenance = { node: { version: "0.1.0", sha256: hash }, packagesSha256: hash, materialsSha256: hash };
  manifest = await writeDisk({ identity, slot, loader, keys: bootKeys, path: image, work }, provenance);
  writeFileSync(files.manifest, formatManifest(manifest));
  await signFile(files.manifest, files.signature, keys);
}

const verify = (path = image): Promise<ImageVerdict> => verifyImage({ path, authority: keys.authority });
const failures = ({ checks }: ImageVerdict): readonly string[] => checks.filter(({ isOk }) => !isOk).map(({ check }) => check);

/** Writes over a byte of the image; gives what puts it back. */
function change(offset: number): () => void {
  const old = new Uint8Array(1);
  const write = (byte: number): void => {
    const file = openSync(image, "r+");
    readSync(file, old, 0, 1, offset);
    writeSync(file, Uint8Array.of(byte), 0, 1, offset);
    closeSync(file);
  };
  write(0);
  const was = old[0] ?? 0;
  write(was ^ 0x55);
  return () => write(was);
}

describe.skipIf(unavailable !== undefined)("image on disk", () => {
  beforeAll(makeImage, LIMIT_MS);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test(
    "image: as built and signed, every check is good",
    async () => {
      const verdict = await verify();
      expect(failures(verdict)).toEqual([]);
      expect(verdict.isGood).toBe(true);
      expect(verdict.checks.map(({ check }) => check)).toContain("root hash");
    },
    LIMIT_MS,
  );

  test(
    "image: one byte changed in each partition, in the root and between partitions, each is named",
    async () => {
      const places = manifest.partitions.map(({ offsetBytes, sizeBytes, label }) =>
        label === "root-A" ? offsetBytes + 9_000 : offsetBytes + sizeBytes - 100,
      );
      const back = [...places, 20_000].map(change); // 20,000 lies behind the first table, before the first partition
      const verdict = await verify();
      for (const undo of back) undo();
      expect(failures(verdict)).toEqual([...manifest.partitions.map(({ label }) => label), "root hash", "gaps"]);
    },
    LIMIT_MS,
  );

  test(
    "image: a changed partition table, a changed manifest, a signature of others, each is refused",
    async () => {
      const undo = change(512 + 16);
      expect(failures(await verify())).toEqual(["partition table"]);
      undo();

      const { manifest: path } = filesOf(folder, "bizra-amd64-cloud-development-1.0.0");
      writeFileSync(path, formatManifest({ ...manifest, version: "9.9.9" }));
      expect(failures(await verify())).toEqual(["signature", "manifest"]);
      writeFileSync(path, formatManifest(manifest));

      const others = await openKeys(join(folder, "others"));
      const verdict = await verifyImage({ path: image, authority: others.authority });
      expect(failures(verdict)).toEqual(["signature"]);
    },
    LIMIT_MS,
  );

  test(
    "image: a plan put into it, is read back byte by byte, and the image is still good",
    async () => {
      const plan = new TextEncoder().encode('{"schema":1}');
      await provisionImage(image, { "provision.json": plan, "genesis.json": new Uint8Array(200_000).fill(0x20) });
      const given = await readGivenFiles(readProvisionPartition(image), folder);
      expect(given["provision.json"]).toEqual(plan);
      expect(given["genesis.json"]?.length).toBe(200_000);
      const verdict = await verify();
      expect(failures(verdict)).toEqual([]);
      expect(verdict.checks.find(({ check }) => check === "PROVISION")?.detail).toBe("provisioned with provision.json, genesis.json");
      const place = manifest.partitions.find(({ label }) => label === "PROVISION");
      const undo = change((place?.offsetBytes ?? 0) + (place?.sizeBytes ?? 0) - 100);
      expect(failures(await verify())).toEqual(["PROVISION"]);
      undo();
      await provisionImage(image, {});
    },
    LIMIT_MS,
  );

  test("image: what is no image, is not provisioned", async () => {
    const path = join(folder, "letter.img");
    writeFileSync(path, "x".repeat(100_000));
    await expect(provisionImage(path, {})).rejects.toThrow("it has no partition table");
    await expect(provisionImage(join(folder, "none.img"), {})).rejects.toThrow("there is nothing");
    expect(readFileSync(path, "utf8")).toBe("x".repeat(100_000));
  });
});

describe.skipIf(unavailable !== undefined)("signing keys", () => {
  test("image: keys that are not there, are made as development keys once", async () => {
    const place = mkdtempSync(join(tmpdir(), "bizra-keys-"));
    try {
      const first = await openKeys(join(place, "keys"));
      const text = readFileSync(first.key, "utf8");
      expect(first.variant).toBe("development");
      expect(readFileSync((await openKeys(join(place, "keys"))).key, "utf8")).toBe(text);
      mkdirSync(join(place, "tree/.git"), { recursive: true });
      await expect(openKeys(join(place, "tree/keys"))).rejects.toThrow("outside of any repository");
      mkdirSync(join(place, "half"));
      copyFileSync(first.authority, join(place, "half/ca.cert.pem"));
      await expect(openKeys(join(place, "half"))).rejects.toThrow("no ");
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  });

  test("image: a manifest with an unknown field, another kind or no JSON, is refused", () => {
    const text = JSON.stringify({ schema: 1 });
    for (const wrong of [text, "{", "[]", JSON.stringify({ schema: 2 })]) expect(parseManifest(wrong).ok).toBe(false);
  });
});
