import { existsSync } from "node:fs";
import { err, type Result } from "../../src/kernel/index.ts";
import type { Installer } from "./installer.ts";
import { type BundleBar, judgeBundle, strangerOf } from "./judge.ts";
import type { BundleWord, UpdateOrder, UpdateTrouble } from "./types.ts";
import { checkPayload } from "./verity.ts";

/**
 * Everything that is checked of a bundle before a slot is touched, the cheapest first: who signed it, what it is for, how old
 * it is, and then every byte of it. Rejects with InstallerFailed.
 */
export async function checkBundle(
  path: string,
  order: UpdateOrder,
  bar: Omit<BundleBar, "isUnattended">,
  installer: Installer,
): Promise<Result<BundleWord, UpdateTrouble>> {
  if (!existsSync(path)) return err({ code: "notFound", detail: `there is no ${path}` });
  const judged = await checkWord(path, order, bar, installer);
  if (!judged.ok) return judged;
  if (order.sha256 !== undefined && (await digestOf(path)) !== order.sha256)
    return err({ code: "tampered", detail: "it is not the file that was announced: its SHA-256 is another" });
  const payload = await checkPayload(path);
  return payload.ok ? judged : payload;
}

/** The first part of `checkBundle`, for which a file with nothing but a bundle's end, at its place, will do. */
export async function checkWord(
  path: string,
  order: UpdateOrder,
  bar: Omit<BundleBar, "isUnattended">,
  installer: Installer,
): Promise<Result<BundleWord, UpdateTrouble>> {
  const said = await installer.inspect(path);
  if (!said.ok) return err(await explain(path, said.error, bar, installer));
  return judgeBundle(said.value, { ...bar, isUnattended: order.isUnattended });
}

/** A development key is a stranger to a release box; it is worth saying which stranger it is. */
async function explain(
  path: string,
  trouble: UpdateTrouble,
  { stamp }: Omit<BundleBar, "isUnattended">,
  installer: Installer,
): Promise<UpdateTrouble> {
  if (trouble.code !== "foreignSignature") return trouble;
  const claimed = await installer.peek(path);
  const stranger = claimed && claimed.compatible !== stamp.compatible ? strangerOf(claimed.compatible, stamp) : undefined;
  return stranger?.code === "developmentSigned" ? stranger : trouble;
}

async function digestOf(path: string): Promise<string> {
  const hash = new Bun.SHA256();
  for await (const chunk of Bun.file(path).stream()) hash.update(chunk);
  return hash.digest("hex");
}
