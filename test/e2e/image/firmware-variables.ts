import { encodeGuid, encodeSignatureList } from "../../../image/signing/signature-list.ts";

/** Certificates that a firmware is to trust, DER: who may change its keys, who may change db, whose programs it starts. */
export type EnrolledKeys = Readonly<Record<"PK" | "KEK" | "db", Uint8Array>>;

/** Bytes before the first variable: the volume's head and the store's. */
const STORE_HEAD_BYTES = 28;
/** Bytes of a variable before its name. */
const VARIABLE_HEAD_BYTES = 60;
const GUID = {
  global: "8be4df61-93ca-11d2-aa0d-00e098032b8c",
  imageSecurity: "d719b2cb-3d3a-4596-a3bc-dad00e67656f",
  secureBootEnable: "f0a30bc7-af08-4556-99c4-001009c93a44",
} as const;
/** Kept without power, seen by boot services, by the system, changed only with a signature that bears a time. */
const KEPT = 1 | 2;
const SIGNED = KEPT | 4 | 0x20;

type Variable = { readonly guid: string; readonly name: string; readonly attributes: number; readonly data: Uint8Array };

/**
 * A machine's variables with Secure Boot on and these keys, as a person leaves them who enrolled the keys in the firmware's
 * menu: EDK II's store of authenticated variables, in which each follows the last at a multiple of four bytes.
 *
 * @param template a store of the same firmware, whose variables are left out
 * @see EDK II, MdeModulePkg/Include/Guid/VariableFormat.h, AUTHENTICATED_VARIABLE_HEADER
 */
export function enrolledVariables(template: Uint8Array, keys: EnrolledKeys): Uint8Array {
  const store = template.slice();
  const view = new DataView(store.buffer);
  const start = view.getUint16(48, true); // bytes of the volume's head
  const bytes = view.getUint32(start + 16, true);
  store.fill(0xff, start + STORE_HEAD_BYTES, start + bytes);
  let at = start + STORE_HEAD_BYTES;
  const variables: readonly Variable[] = [
    { guid: GUID.imageSecurity, name: "db", attributes: SIGNED, data: encodeSignatureList(keys.db) },
    { guid: GUID.global, name: "KEK", attributes: SIGNED, data: encodeSignatureList(keys.KEK) },
    { guid: GUID.global, name: "PK", attributes: SIGNED, data: encodeSignatureList(keys.PK) },
    { guid: GUID.secureBootEnable, name: "SecureBootEnable", attributes: KEPT, data: Uint8Array.of(1) },
  ];
  for (const variable of variables) {
    const encoded = encodeVariable(variable);
    store.set(encoded, at);
    at += Math.ceil(encoded.length / 4) * 4;
  }
  return store;
}

function encodeVariable({ guid, name, attributes, data }: Variable): Uint8Array {
  const nameBytes = Buffer.from(`${name}\0`, "utf16le");
  const encoded = new Uint8Array(VARIABLE_HEAD_BYTES + nameBytes.length + data.length);
  const view = new DataView(encoded.buffer);
  view.setUint16(0, 0x55aa, true);
  view.setUint8(2, 0x3f); // complete and in use
  view.setUint32(4, attributes, true);
  view.setUint16(16, 2026, true); // the time of signing: year, month, day
  encoded.set([1, 1], 18);
  view.setUint32(36, nameBytes.length, true);
  view.setUint32(40, data.length, true);
  encoded.set(encodeGuid(guid), 44);
  encoded.set(nameBytes, VARIABLE_HEAD_BYTES);
  encoded.set(data, VARIABLE_HEAD_BYTES + nameBytes.length);
  return encoded;
}
