import { closeSync, copyFileSync, mkdirSync, openSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { present } from "../src/kernel/index.ts";
import { loaderPath } from "./boot/loader.ts";
import { makeBootState, makeEfiPartition, makeExt } from "./disk/file-systems.ts";
import { hashPart, writeRawImage } from "./disk/raw-image.ts";
import type { SlotImages } from "./disk/slot-images.ts";
import { sha256Hex } from "./hashes.ts";
import { layOut, type PartitionLabel, type PlacedPartition, partitionsOf } from "./layout/partitions.ts";
import { type ImageManifest, WRITTEN_PARTITIONS } from "./manifest.ts";
import { makeProvisionPartition } from "./provision.ts";
import { compatibleOf, type ImageIdentity, imageName } from "./rootfs/identity.ts";
import { NODE_HOME_ON_DATA } from "./rootfs/node-files.ts";
import type { BootKeys } from "./signing/boot-keys.ts";
import { describeBootKeys, enrolmentFiles } from "./signing/enrolment.ts";
import { ImageFailure } from "./tools.ts";

/** What the manifest says beyond the disk. */
type Provenance = Pick<ImageManifest, "node" | "packagesSha256" | "materialsSha256">;

/** What a disk is made of. */
export type DiskOrder = {
  readonly identity: ImageIdentity;
  readonly slot: SlotImages;
  /** The boot loader, an EFI program. */
  readonly loader: Uint8Array;
  /** What else the board's own firmware finds beside the loader. */
  readonly firmware?: ReadonlyMap<string, Uint8Array>;
  /** The keys that loader and boot slot are signed with. */
  readonly keys: BootKeys;
  /** A node's home that the data partition begins with. */
  readonly home?: string;
  /** Where the image is written. */
  readonly path: string;
  /** Folder for what is in between. */
  readonly work: string;
};

/**
 * Writes a disk image with every partition, and describes it.
 *
 * @throws ImageFailure when a slot does not fit into its partition
 */
export async function writeDisk(
  { identity, slot, loader, firmware = new Map(), keys, home, path, work }: DiskOrder,
  provenance: Provenance,
): Promise<ImageManifest> {
  const layout = layOut(partitionsOf(identity.architecture, identity.board));
  const partition = (label: PartitionLabel): PlacedPartition =>
    present(
      layout.partitions.find((each) => each.label === label),
      "the layout has every partition",
    );
  for (const [label, content] of [
    ["root-A", slot.root],
    ["boot-A", slot.boot],
  ] as const) {
    if (content.length > partition(label).sizeBytes)
      throw new ImageFailure(`expected at most ${partition(label).sizeBytes} bytes for ${label}, got ${content.length}`);
  }
  const ext = (label: "signstate" | "data", from?: string): Promise<Uint8Array> =>
    makeExt(
      { type: "ext4", sizeBytes: partition(label).sizeBytes, label, id: partition(label).id, ...(from === undefined ? {} : { from }) },
      work,
    );
  const contents = new Map<PartitionLabel, Uint8Array>([
    [
      "esp",
      await makeEfiPartition(
        partition("esp"),
        new Map([[loaderPath(identity.architecture), loader], ...firmware, ...enrolmentFiles(keys)]),
        work,
      ),
    ],
    ["bootstate", await makeBootState(partition("bootstate"), work)],
    ["boot-A", slot.boot],
    ["root-A", slot.root],
    ["PROVISION", await makeProvisionPartition({}, partition("PROVISION").sizeBytes, work)],
    ["signstate", await ext("signstate")],
    ["data", await ext("data", home === undefined ? undefined : layHome(home, join(work, "data")))],
  ]);
  writeRawImage(path, layout, contents);
  const file = openSync(path, "r");
  try {
    return {
      schema: 1,
      name: imageName(identity),
      ...identity,
      compatible: compatibleOf(identity),
      ...provenance,
      verity: slot.verity,
      slot: {
        rootSha256: sha256Hex(slot.root),
        bootSha256: sha256Hex(slot.boot),
        rootBytes: slot.root.length,
        bootBytes: slot.boot.length,
      },
      secureBoot: describeBootKeys(keys),
      diskBytes: layout.diskBytes,
      partitions: layout.partitions.map(({ label, offsetBytes, sizeBytes }) => ({
        label,
        offsetBytes,
        sizeBytes,
        use: WRITTEN_PARTITIONS.has(label) ? "written" : "fixed",
        sha256: hashPart(file, offsetBytes, sizeBytes),
      })),
      // A home's files bear the times at which they were made.
      reproducible: layout.partitions.map(({ label }) => label).filter((label) => label !== "data" || home === undefined),
    };
  } finally {
    closeSync(file);
  }
}

/** Copies a node's home to where the unit looks for it; permissions stay. */
function layHome(home: string, data: string): string {
  const copy = (from: string, to: string): void => {
    mkdirSync(to, { recursive: true, mode: 0o700 });
    for (const entry of readdirSync(from, { withFileTypes: true })) {
      const [source, target] = [join(from, entry.name), join(to, entry.name)];
      if (entry.isDirectory()) copy(source, target);
      else copyFileSync(source, target);
    }
  };
  const place = join(data, NODE_HOME_ON_DATA);
  mkdirSync(dirname(place), { recursive: true });
  copy(home, place);
  return data;
}
