import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loaderPath } from "../../../image/boot/loader.ts";
import { makeEfiPartition } from "../../../image/disk/file-systems.ts";
import { makeBootImage } from "../../../image/disk/slot-images.ts";
import { layOut, partitionsOf } from "../../../image/layout/partitions.ts";
import { signProgram } from "../../../image/signing/authenticode.ts";
import { loaderKey } from "../../../image/signing/boot-files.ts";
import { type BootKeys, openBootKeys } from "../../../image/signing/boot-keys.ts";
import { describeBootKeys } from "../../../image/signing/enrolment.ts";
import { missingPackages } from "../../../image/tools.ts";
import { checkBootChain } from "../../../image/verify-boot.ts";
import { present } from "../../../src/kernel/index.ts";
import { installPackages } from "../../e2e/support/debian.ts";
import { efiProgram } from "./efi-program.ts";

const lacking = missingPackages([
  "faketime",
  "mcopy",
  "mkfs.vfat",
  "mmd",
  "mksquashfs",
  "mtype",
  "openssl",
  "sbsign",
  "sbverify",
  "unsquashfs",
]);
const unavailable = lacking.length === 0 ? undefined : await installPackages(lacking);
if (unavailable !== undefined) console.warn(`SKIPPED: no start is signed or verified here, ${unavailable}`);

const LIMIT_MS = 120_000;
const verity = { blocks: 50, rootHash: "ab".repeat(32), salt: "cd".repeat(32) };
const noise = (bytes: number, step = 131): Uint8Array => Uint8Array.from({ length: bytes }, (_, i) => (i * step + (i >> 8)) & 255);

let folder = "";
let keys: BootKeys;
let others: BootKeys;

/** A folder of its own for what is in between. */
function work(): string {
  return mkdtempSync(join(folder, "work-"));
}

async function esp(program: Uint8Array): Promise<Uint8Array> {
  const [partition] = layOut(partitionsOf("amd64")).partitions;
  return await makeEfiPartition(present(partition, "the layout has partitions"), new Map([[loaderPath("amd64"), program]]), work());
}

/** A loader that holds a key, and is not signed yet. */
const loaderWith = (key: BootKeys): Uint8Array => efiProgram(Buffer.concat([noise(3_000), loaderKey(key.boot)]));
const slot = (signer: BootKeys): Promise<Uint8Array> =>
  makeBootImage({ kernel: efiProgram(noise(9_000)), initrd: noise(20_000, 7), verity }, signer, work());
const check = async (parts: { readonly esp: Uint8Array; readonly boot: Uint8Array }): ReturnType<typeof checkBootChain> =>
  await checkBootChain(parts, { architecture: "amd64", secureBoot: describeBootKeys(keys) }, work());

describe.skipIf(unavailable !== undefined)("a start's signatures", () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "bizra-verify-boot-"));
    for (const name of ["own", "others"]) mkdirSync(join(folder, name));
    [keys, others] = [await openBootKeys(join(folder, "own"), "development"), await openBootKeys(join(folder, "others"), "development")];
  }, LIMIT_MS);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test(
    "image: loader and slot of equal input, are equal byte by byte, and good",
    async () => {
      const [first, second] = [await signProgram(loaderWith(keys), keys, work()), await signProgram(loaderWith(keys), keys, work())];
      const [boot, again] = [await slot(keys), await slot(keys)];
      expect([Buffer.compare(first, second), Buffer.compare(boot, again)]).toEqual([0, 0]);
      expect(await check({ esp: await esp(first), boot })).toEqual({ loader: [], bootFiles: [] });
    },
    LIMIT_MS,
  );

  test(
    "image: a loader that is missing, unsigned, changed, of others or with their key, is refused",
    async () => {
      const boot = await slot(keys);
      const faults = async (program: Uint8Array): Promise<readonly string[]> => (await check({ esp: await esp(program), boot })).loader;
      const [foreign, keyless] = ["no signature of it is by the certificate of db", "it does not hold the key that signed the slot"];
      expect(await faults(new Uint8Array())).toEqual([foreign, keyless]);
      expect(await faults(loaderWith(keys))).toEqual([foreign]);
      expect(await faults(await signProgram(loaderWith(keys), others, work()))).toEqual([foreign]);
      expect(await faults(await signProgram(loaderWith(others), keys, work()))).toEqual([keyless]);
      const changed = await signProgram(loaderWith(keys), keys, work());
      changed[1_000] = (changed[1_000] ?? 0) ^ 1;
      expect(await faults(changed)).toEqual([foreign]);
      // Another maker's signature beside ours does no harm.
      expect(await faults(await signProgram(await signProgram(loaderWith(keys), others, work()), keys, work()))).toEqual([]);
    },
    LIMIT_MS,
  );

  test(
    "image: a slot that cannot be read, of others, or with one byte of each file changed, is refused by the file",
    async () => {
      const loader = await esp(await signProgram(loaderWith(keys), keys, work()));
      const faults = async (boot: Uint8Array): Promise<readonly string[]> => (await check({ esp: loader, boot })).bootFiles;
      const kernelFault = "vmlinuz: no signature of it is by the certificate of db";
      const names = ["vmlinuz", "initrd.zst", "slot.cfg"];
      expect(await faults(noise(8_192))).toEqual([...names.map((name) => `${name} is missing`), kernelFault]);
      expect(await faults(await slot(others))).toEqual([...names.map((name) => `${name} is not what the boot key signed`), kernelFault]);

      const good = Buffer.from(await slot(keys));
      for (const [mark, expected] of [
        [Buffer.from(noise(9_000)).subarray(100, 200), ["vmlinuz is not what the boot key signed", kernelFault]],
        [Buffer.from(noise(20_000, 7)).subarray(300, 400), ["initrd.zst is not what the boot key signed"]],
        [Buffer.from("set verity=50:ab"), ["slot.cfg is not what the boot key signed"]],
      ] as const) {
        const at = good.indexOf(mark); // files are stored as they are
        expect(at).toBeGreaterThan(0);
        const changed = Uint8Array.from(good);
        changed[at + 14] = (changed[at + 14] ?? 0) ^ 1;
        expect(await faults(changed)).toEqual([...expected]);
      }
    },
    LIMIT_MS,
  );
});
