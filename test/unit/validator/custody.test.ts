import { expect, test } from "bun:test";
import { localSigner, nativeSuite, sha256 } from "../../../src/crypto/index.ts";
import { Prng, toHex, utf8 } from "../../../src/kernel/index.ts";
import { MemoryFileSystem } from "../../../src/storage/index.ts";
import { bindingOf, decodeBinding, encodeBinding, judgeHardware, renewedBinding } from "../../../src/validator/binding.ts";
import { bindKey, type CustodyFiles, type Hardware, judgeCustody, layExportMark, readExportMark } from "../../../src/validator/index.ts";
import { KEY } from "./samples.ts";

const { verify } = nativeSuite;
const PC: Hardware = { machineId: ["installation"], productUuid: ["board"], disks: ["disk 1", "disk 2"], cards: ["card"] };

/** How a machine compares with the PC. */
function against(hardware: Hardware, bound: Hardware = PC): string {
  const verdict = judgeHardware(bindingOf(KEY.publicKey, bound, 5), hardware);
  return verdict.kind === "same"
    ? `same, ${verdict.changed.join() || "nothing"} changed`
    : `other, ${verdict.differing.join() || "nothing"} differs`;
}

function homeWith(): { readonly disk: MemoryFileSystem; readonly files: CustodyFiles } {
  const disk = new MemoryFileSystem();
  disk.makeDirectory("/home");
  disk.syncDirectory("/");
  return { disk, files: { fs: disk, directory: "/home/custody", publicKey: KEY.publicKey } };
}

test("binding: one part exchanged, is the same machine", () => {
  expect(against(PC)).toBe("same, nothing changed");
  expect(against({ ...PC, machineId: ["new installation"] })).toBe("same, system changed");
  expect(against({ ...PC, productUuid: ["new board"] })).toBe("same, board changed");
  expect(against({ ...PC, disks: ["disk 2", "disk 3"] })).toBe("same, nothing changed");
  expect(against({ ...PC, disks: ["disk 3"] })).toBe("same, disk changed");
  expect(against({ ...PC, cards: ["new card"] })).toBe("same, network changed");
});

test("binding: a disk image copied to another machine, is another one although the installation's id came along", () => {
  expect(against({ machineId: ["installation"], productUuid: ["b"], disks: ["d"], cards: ["c"] })).toBe(
    "other, board,disk,network differs",
  );
  expect(against({ machineId: ["installation"], cards: ["c"] })).toBe("other, network differs");
  expect(against({ machineId: ["installation"], productUuid: ["b"] })).toBe("other, board differs");
});

test("binding: the disk moved into another board, is the same home and signs on", () => {
  expect(against({ machineId: ["installation"], productUuid: ["b"], disks: ["disk 1"], cards: ["c"] })).toBe("same, board,network changed");
});

test("binding: what is not said at the moment, is not held against a machine; nothing at all is", () => {
  expect(against({ disks: ["disk 1"] })).toBe("same, nothing changed");
  expect(against({ machineId: ["installation"] })).toBe("same, nothing changed");
  expect(against({})).toBe("other, nothing differs");
  expect(against(PC, {})).toBe("same, nothing changed");
  expect(against({ boardSerial: ["s"] }, { productUuid: ["board"] })).toBe("other, nothing differs");
});

test("binding: only the installation's id to go by, decides", () => {
  expect(against({ machineId: ["installation"] }, { machineId: ["installation"] })).toBe("same, nothing changed");
  expect(against({ machineId: ["another"] }, { machineId: ["installation"] })).toBe("other, system differs");
});

test("binding: renewed after each exchange, follows a machine whose every part was exchanged in turn", () => {
  let binding = bindingOf(KEY.publicKey, PC, 1);
  let hardware = PC;
  for (const part of ["machineId", "productUuid", "disks", "cards"] as const) {
    hardware = { ...hardware, [part]: [`new ${part}`] };
    expect(judgeHardware(binding, hardware)).toMatchObject({ kind: "same", isStale: true });
    binding = renewedBinding(binding, hardware, 2);
  }
  expect(judgeHardware(binding, hardware)).toEqual({ kind: "same", changed: [], isStale: false });
  expect(judgeHardware(binding, PC).kind).toBe("other");
});

test("binding: encoded, reads back; every changed byte, cut and foreign key is refused", () => {
  const binding = bindingOf(KEY.publicKey, PC, 1_700_000_000_000);
  const bytes = encodeBinding(binding, KEY);
  expect(decodeBinding(bytes, KEY.publicKey, verify)).toEqual({ ok: true, value: binding });
  for (let at = 0; at < bytes.length; at++) {
    const altered = bytes.slice();
    altered[at] = (altered[at] ?? 0) ^ 1;
    expect(decodeBinding(altered, KEY.publicKey, verify).ok).toBe(false);
    expect(decodeBinding(bytes.subarray(0, at), KEY.publicKey, verify).ok).toBe(false);
  }
  const other = localSigner(sha256(utf8("another seed")));
  expect(decodeBinding(bytes, other.publicKey, verify)).toEqual({ ok: false, error: "otherKey" });
  const forged = encodeBinding({ ...binding, publicKey: other.publicKey }, other);
  expect(decodeBinding(forged, KEY.publicKey, verify)).toEqual({ ok: false, error: "otherKey" });
});

test("binding: any bytes, are refused without throwing", () => {
  const prng = new Prng(3);
  for (let i = 0; i < 500; i++) expect(decodeBinding(prng.bytes(prng.below(200)), KEY.publicKey, verify).ok).toBe(false);
});

test("binding: its file, tells nothing of the machine and nothing that another key's tells", () => {
  const text = Buffer.from(encodeBinding(bindingOf(KEY.publicKey, PC, 1), KEY)).toString("latin1");
  for (const value of ["installation", "board", "disk 1"]) expect(text).not.toContain(value);
  const other = bindingOf(sha256(utf8("another key")), PC, 1);
  expect(other.parts.machineId).not.toEqual(bindingOf(KEY.publicKey, PC, 1).parts.machineId);
});

test("custody: a key with its journal and no binding, is bound by a start; bound, it signs there and nowhere else", () => {
  const { files } = homeWith();
  expect(judgeCustody(files, PC, verify, true)).toEqual({ kind: "unbound" });
  bindKey(files, KEY, PC, 7);
  expect(judgeCustody(files, PC, verify, true)).toMatchObject({ kind: "bound", changed: [], isStale: false });
  const elsewhere = judgeCustody(files, { machineId: ["m"], productUuid: ["b"] }, verify, true);
  expect(elsewhere).toMatchObject({ kind: "barred", fault: "otherHardware" });
  expect(elsewhere.kind === "barred" && elsewhere.detail).toContain(toHex(KEY.publicKey));
});

test("custody: a key without journal and binding, is barred; without its journal alone it is for consensus to recover", () => {
  const { files } = homeWith();
  expect(judgeCustody(files, PC, verify, false)).toMatchObject({ kind: "barred", fault: "markMissing" });
  bindKey(files, KEY, PC, 7);
  expect(judgeCustody(files, PC, verify, false)).toMatchObject({ kind: "bound" });
});

test("custody: a binding that was altered, bars the key", () => {
  const { disk, files } = homeWith();
  bindKey(files, KEY, PC, 7);
  disk.flipBit(`/home/custody/${toHex(KEY.publicKey)}.binding`, 900);
  expect(judgeCustody(files, PC, verify, true)).toMatchObject({ kind: "barred", fault: "bindingDamaged" });
});

test("custody: a history that was exported, bars the key on its own machine, also where the mark is damaged, and after power went", () => {
  const { disk, files } = homeWith();
  bindKey(files, KEY, PC, 7);
  expect(readExportMark(files)).toBeUndefined();
  layExportMark(files, { exportedAtMs: 9, digest: sha256(utf8("a history")) });
  disk.crash();
  expect(readExportMark(files)).toEqual({ exportedAtMs: 9, digest: sha256(utf8("a history")) });
  expect(judgeCustody(files, PC, verify, true)).toMatchObject({ kind: "barred", fault: "exported" });
  disk.flipBit(`/home/custody/${toHex(KEY.publicKey)}.exported`, 3);
  expect(readExportMark(files)).toBeUndefined();
  expect(judgeCustody(files, PC, verify, true)).toMatchObject({ kind: "barred", fault: "exported" });
});
