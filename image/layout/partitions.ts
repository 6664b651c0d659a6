/** A mebibyte, the unit in which partitions are laid out; also the alignment every kind of storage is content with. */
export const MIB = 1024 * 1024;

/** Bytes of a logical sector: what every addressed disk and card reports. */
export const SECTOR_BYTES = 512;

/** The processor architectures there are images for, in Debian's words. */
export const ARCHITECTURES = ["amd64", "arm64"] as const;

/** One of them. */
export type Architecture = (typeof ARCHITECTURES)[number];

/** Boards that cannot start from the image for any machine with UEFI. */
export const BOARDS = ["raspberry-pi"] as const;

/** One of them. */
export type Board = (typeof BOARDS)[number];

/** The two sets of kernel and root, of which one runs and the other can be written. */
export const SLOTS = ["A", "B"] as const;

/** One of the two. */
export type Slot = (typeof SLOTS)[number];

/** The partitions by the labels under which boot loader, kernel and updater find them. */
export type PartitionLabel = "esp" | "bootstate" | "boot-A" | "root-A" | "boot-B" | "root-B" | "PROVISION" | "signstate" | "data";

/** One partition: what it is and how large. */
export type Partition = {
  readonly label: PartitionLabel;
  /** GPT partition type. */
  readonly type: string;
  /** GPT partition identity; the same in every image, since a box holds one image. */
  readonly id: string;
  readonly sizeMib: number;
};

/** Identity of the disk's partition table; the same in every image. */
export const DISK_ID = "b12a0000-0000-4000-8000-000000000000";

const TYPE = {
  efiSystem: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
  /** Ours, for what only boot loader and updater touch: no system mounts, checks or repairs an unknown type on its own. */
  boot: "b12ab007-0000-4000-8000-000000000001",
  bootState: "b12ab007-0000-4000-8000-000000000002",
  signState: "b12ab007-0000-4000-8000-000000000003",
  root: { amd64: "4f68bce3-e8cd-4db1-96e7-fbcaf984b709", arm64: "b921b045-1df0-41c3-af44-4c6f280d3fae" },
  /** Gets a drive letter on Windows, which an EFI system partition does not. */
  basicData: "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7",
  /** systemd-repart grows partitions by type, so no other may have this one. */
  linuxGeneric: "0fc63daf-8483-4772-8e79-3d69d8477de4",
} as const;

const id = (suffix: string): string => `b12a0000-0000-4000-8000-${suffix.padStart(12, "0")}`;

/**
 * The partitions of an image in the order of the disk. data comes last, so that it can grow over the rest of any disk.
 *
 * The order and the numbers are part of the boot configuration of boxes in the field: only appending is possible.
 *
 * @param board absent: any machine with UEFI. A Raspberry Pi's own firmware looks for FAT partitions of Windows' type.
 */
export function partitionsOf(architecture: Architecture, board?: Board): readonly Partition[] {
  // arm64 kernels are stored uncompressed by Debian, three times the size.
  const bootMib = architecture === "arm64" ? 64 : 32;
  return [
    { label: "esp", type: board === "raspberry-pi" ? TYPE.basicData : TYPE.efiSystem, id: id("1"), sizeMib: 48 },
    { label: "bootstate", type: TYPE.bootState, id: id("2"), sizeMib: 8 },
    { label: "boot-A", type: TYPE.boot, id: id("a"), sizeMib: bootMib },
    { label: "root-A", type: TYPE.root[architecture], id: id("aa"), sizeMib: 320 },
    { label: "boot-B", type: TYPE.boot, id: id("b"), sizeMib: bootMib },
    { label: "root-B", type: TYPE.root[architecture], id: id("bb"), sizeMib: 320 },
    { label: "PROVISION", type: TYPE.basicData, id: id("3"), sizeMib: 32 },
    { label: "signstate", type: TYPE.signState, id: id("4"), sizeMib: 8 },
    { label: "data", type: TYPE.linuxGeneric, id: id("dd"), sizeMib: 64 },
  ];
}

/** A partition at its place. */
export type PlacedPartition = Partition & { readonly number: number; readonly offsetBytes: number; readonly sizeBytes: number };

/** A disk as an image lays it out. */
export type DiskLayout = { readonly partitions: readonly PlacedPartition[]; readonly diskBytes: number };

/** Places the partitions one after another, with a MiB before and behind them for the two copies of the table. */
export function layOut(partitions: readonly Partition[]): DiskLayout {
  let nextMib = 1;
  const placed = partitions.map((partition, index) => {
    const offsetMib = nextMib;
    nextMib += partition.sizeMib;
    return { ...partition, number: index + 1, offsetBytes: offsetMib * MIB, sizeBytes: partition.sizeMib * MIB };
  });
  return { partitions: placed, diskBytes: (nextMib + 1) * MIB };
}
