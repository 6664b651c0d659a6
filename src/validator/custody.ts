import type { Signer } from "../crypto/index.ts";
import { CborReader, CborWriter, toHex } from "../kernel/index.ts";
import { type FileSystem, parentOf, replaceFile } from "../storage/index.ts";
import {
  bindingOf,
  decodeBinding,
  encodeBinding,
  judgeHardware,
  type KeyBinding,
  renewedBinding,
  type VerifyKeySignature,
} from "./binding.ts";
import type { Hardware, HardwareKind } from "./hardware.ts";

/** Why a key does not sign in a home. */
export type CustodyFault = "otherHardware" | "markMissing" | "bindingDamaged" | "exported" | "signstateLost";

/** Whether the key of a home may sign on this machine. */
export type CustodyVerdict =
  /** Bound to this machine; `changed` parts were exchanged since. */
  | { readonly kind: "bound"; readonly binding: KeyBinding; readonly changed: readonly HardwareKind[]; readonly isStale: boolean }
  /** Bound to nothing yet, with its journal beside it: a start binds it. */
  | { readonly kind: "unbound" }
  /** It does not sign; `detail` says why, without what to do. */
  | { readonly kind: "barred"; readonly fault: CustodyFault; readonly detail: string };

/** Where the marks of custody lie, and whose they are. */
export type CustodyFiles = {
  readonly fs: FileSystem;
  /** Folder of the marks, e.g. `<home>/custody`; its parent exists. */
  readonly directory: string;
  readonly publicKey: Uint8Array;
};

/** What is left in a home whose key's history was exported. */
export type ExportMark = {
  readonly exportedAtMs: number;
  /** SHA-256 of the history that was written. */
  readonly digest: Uint8Array;
};

/**
 * Whether a key may sign here: not where its history was exported from, nor on another machine than it is bound to, nor
 * where both its journal and its binding are missing, which is a key file that came alone.
 *
 * @param hasJournal whether anything lies in the journal's place; whether it is sound is another question (J7)
 * @see cloud DR-3, DR-10
 */
export function judgeCustody(files: CustodyFiles, hardware: Hardware, verify: VerifyKeySignature, hasJournal: boolean): CustodyVerdict {
  const name = toHex(files.publicKey);
  if (files.fs.stat(exportPath(files)) !== undefined) {
    return barred("exported", `the signing history of the key ${name} was exported from this home, which never signs with it again`);
  }
  const path = bindingPath(files);
  if (files.fs.stat(path) === undefined) {
    if (hasJournal) return { kind: "unbound" };
    return barred(
      "markMissing",
      `the key ${name} is here without its journal and without its binding to a machine: the key file came alone`,
    );
  }
  const binding = decodeBinding(files.fs.readFile(path), files.publicKey, verify);
  if (!binding.ok) return barred("bindingDamaged", `${path} is not what was written (${binding.error})`);
  const verdict = judgeHardware(binding.value, hardware);
  if (verdict.kind === "same") return { kind: "bound", binding: binding.value, changed: verdict.changed, isStale: verdict.isStale };
  const differing = verdict.differing.length > 0 ? `other than there: ${verdict.differing.join(", ")}` : "nothing here says which it is";
  return barred("otherHardware", `the key ${name} is bound to another machine (${differing})`);
}

/** Binds a key to this machine, or renews its binding with what the machine says now; durable when it returns. */
export function bindKey(files: CustodyFiles, key: Signer, hardware: Hardware, nowMs: number, earlier?: KeyBinding): void {
  const binding = earlier ? renewedBinding(earlier, hardware, nowMs) : bindingOf(files.publicKey, hardware, nowMs);
  makeFolder(files);
  replaceFile(files.fs, bindingPath(files), encodeBinding(binding, key));
}

/** Lays the mark after which a key never signs in this home again; durable when it returns. */
export function layExportMark(files: CustodyFiles, { exportedAtMs, digest }: ExportMark): void {
  makeFolder(files);
  replaceFile(files.fs, exportPath(files), new CborWriter(64).array(3).uint(1).uint(exportedAtMs).bytes(digest).finish());
}

/** The mark of an export, or undefined without one that can be read. One that cannot be read bars the key all the same. */
export function readExportMark(files: CustodyFiles): ExportMark | undefined {
  if (files.fs.stat(exportPath(files)) === undefined) return undefined;
  const r = new CborReader(files.fs.readFile(exportPath(files)));
  if (r.array(3) !== 3 || r.uint() !== 1) r.reject();
  const mark = { exportedAtMs: r.uint(), digest: r.bytes(32) };
  return r.isComplete ? mark : undefined;
}

function barred(fault: CustodyFault, detail: string): CustodyVerdict {
  return { kind: "barred", fault, detail };
}

function makeFolder({ fs, directory }: CustodyFiles): void {
  if (fs.stat(directory) !== undefined) return;
  fs.makeDirectory(directory);
  fs.syncDirectory(parentOf(directory));
}

/** Where the binding of a key lies. */
export function bindingPath({ directory, publicKey }: CustodyFiles): string {
  return `${directory}/${toHex(publicKey)}.binding`;
}

function exportPath({ directory, publicKey }: CustodyFiles): string {
  return `${directory}/${toHex(publicKey)}.exported`;
}
