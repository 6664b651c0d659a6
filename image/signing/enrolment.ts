import { createPublicKey } from "node:crypto";
import { utf8 } from "../../src/kernel/index.ts";
import type { ImageManifest } from "../manifest.ts";
import { type BootKeys, ENROLLED } from "./boot-keys.ts";
import { encodeSignatureList } from "./signature-list.ts";

/** Folder of the partition that firmware reads. */
const FOLDER = "KEYS";

const README = [
  "Keys for Secure Boot",
  "",
  "A box starts with and without Secure Boot. To have its firmware refuse everything that its maker did not sign, open the",
  "firmware's menu of keys, delete the keys that are there (setup mode), and enrol from these files, in this order:",
  ...ENROLLED.map((name, index) => `  ${index + 1}. ${name} from ${name}.cer (or ${name}.esl, whichever the menu takes)`),
  "Then switch Secure Boot on. PK comes last: it ends setup mode.",
  "",
] as const;

/** What the operator of a box enrols in its firmware: certificates, as such and as the lists that some menus want. */
export function enrolmentFiles({ certificates }: Pick<BootKeys, "certificates">): ReadonlyMap<string, Uint8Array> {
  const keys = ENROLLED.flatMap((name): readonly (readonly [string, Uint8Array])[] => [
    [`${FOLDER}/${name}.cer`, certificates[name]],
    [`${FOLDER}/${name}.esl`, encodeSignatureList(certificates[name])],
  ]);
  return new Map([[`${FOLDER}/README.TXT`, utf8(README.join("\r\n"))], ...keys]);
}

/** The public halves of the keys that sign a start, as a manifest names them. */
export function describeBootKeys({ certificates, boot }: Pick<BootKeys, "certificates" | "boot">): ImageManifest["secureBoot"] {
  const bootKey = createPublicKey(boot).export({ type: "spki", format: "der" });
  return { certificate: Buffer.from(certificates.db).toString("base64"), bootKey: bootKey.toString("base64") };
}
