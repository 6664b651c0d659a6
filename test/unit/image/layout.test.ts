import { describe, expect, test } from "bun:test";
import { BACKUP_BYTES, decodeGpt, encodeGpt, PRIMARY_BYTES } from "../../../image/layout/gpt.ts";
import { ARCHITECTURES, layOut, MIB, partitionsOf, SECTOR_BYTES } from "../../../image/layout/partitions.ts";

const layout = layOut(partitionsOf("amd64"));

describe("layout", () => {
  test("image: each architecture, partitions follow one another by whole MiB with the tables around them", () => {
    for (const architecture of ARCHITECTURES) {
      const { partitions, diskBytes } = layOut(partitionsOf(architecture));
      let end = MIB;
      for (const { offsetBytes, sizeBytes } of partitions) {
        expect(offsetBytes).toBe(end);
        end = offsetBytes + sizeBytes;
      }
      expect(diskBytes).toBe(end + MIB);
      expect(diskBytes).toBeLessThan(1024 * MIB);
    }
  });

  test("image: data, is the last partition and the only one of its type, so that it alone can grow", () => {
    const { partitions } = layout;
    const data = partitions.at(-1);
    expect(data?.label).toBe("data");
    expect(partitions.filter(({ type }) => type === data?.type)).toHaveLength(1);
    expect(new Set(partitions.map(({ id }) => id)).size).toBe(partitions.length);
  });

  test("image: a Raspberry Pi, has the layout of its processor but for the type of the partition that its firmware reads", () => {
    const [pi, other] = [partitionsOf("arm64", "raspberry-pi"), partitionsOf("arm64")];
    expect(pi.slice(1)).toEqual(other.slice(1));
    expect(pi[0]).toEqual({ ...(other[0] ?? expect.unreachable()), type: "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7" });
  });

  test("image: the slots, have equal sizes, since an update writes either", () => {
    const sizeOf = (label: string) => layout.partitions.find((each) => each.label === label)?.sizeBytes;
    expect(sizeOf("root-A")).toBe(sizeOf("root-B") ?? 0);
    expect(sizeOf("boot-A")).toBe(sizeOf("boot-B") ?? 0);
  });
});

describe("partition table", () => {
  const { primary, backup } = encodeGpt(layout);

  test("image: a written table, reads back as it was laid out", () => {
    const read = decodeGpt(primary, backup, layout.diskBytes);
    if (!read.ok) throw new Error(read.error);
    expect(read.value.entries).toEqual(
      layout.partitions.map(({ type, id, label, offsetBytes, sizeBytes }) => ({ type, id, label, offsetBytes, sizeBytes })),
    );
    expect([primary.length, backup.length]).toEqual([PRIMARY_BYTES, BACKUP_BYTES]);
  });

  test("image: the fields of the header, lie where the specification puts them", () => {
    const view = new DataView(primary.buffer);
    expect(new TextDecoder().decode(primary.subarray(SECTOR_BYTES, SECTOR_BYTES + 8))).toBe("EFI PART");
    expect([primary[510], primary[511], primary[450]]).toEqual([0x55, 0xaa, 0xee]);
    expect(Number(view.getBigUint64(SECTOR_BYTES + 32, true))).toBe(layout.diskBytes / SECTOR_BYTES - 1);
    // The EFI system partition's type as it stands on every disk: mixed byte order.
    expect(Buffer.from(primary.subarray(2 * SECTOR_BYTES, 2 * SECTOR_BYTES + 16)).toString("hex")).toBe("28732ac11ff8d211ba4b00a0c93ec93b");
  });

  test("image: any changed byte of header or entries, is found", () => {
    for (const at of [SECTOR_BYTES, SECTOR_BYTES + 60, 2 * SECTOR_BYTES + 3, 2 * SECTOR_BYTES + 130, PRIMARY_BYTES - 1]) {
      const damaged = primary.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect(decodeGpt(damaged, backup, layout.diskBytes).ok).toBe(false);
    }
    const copy = backup.slice();
    copy[40] = (copy[40] ?? 0) ^ 1;
    expect(decodeGpt(primary, copy, layout.diskBytes)).toEqual({ ok: false, error: "copiesDiffer" });
  });

  test("image: a disk that is shorter than its table says, no table, or too little to read, is refused", () => {
    expect(decodeGpt(primary, undefined, layout.diskBytes - 100 * MIB)).toEqual({ ok: false, error: "beyondDisk" });
    expect(decodeGpt(new Uint8Array(PRIMARY_BYTES), undefined, layout.diskBytes)).toEqual({ ok: false, error: "noTable" });
    expect(decodeGpt(primary.subarray(0, 700), undefined, layout.diskBytes)).toEqual({ ok: false, error: "noTable" });
  });
});
