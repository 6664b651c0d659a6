import { runTool, tryTool } from "../tools.ts";
import type { SigningKeys } from "./keys.ts";

/** Signs a file into another: CMS (RFC 5652), detached, with the signer's certificate in it. */
export async function signFile(path: string, signature: string, keys: SigningKeys): Promise<void> {
  const by = ["-signer", keys.certificate, "-inkey", keys.key];
  await runTool("openssl", ["cms", "-sign", "-binary", "-md", "sha256", "-outform", "DER", "-in", path, "-out", signature, ...by]);
}

/**
 * Checks a file's signature.
 *
 * @param authority certificate of the authority that is trusted, as a path
 * @returns what is wrong with it, or undefined when somebody whom the authority vouches for signed these bytes
 */
export async function checkSignature(path: string, signature: string, authority: string): Promise<string | undefined> {
  const files = ["-in", signature, "-content", path, "-CAfile", authority, "-out", "/dev/null"];
  const { code, said } = await tryTool("openssl", ["cms", "-verify", "-binary", "-inform", "DER", ...files]);
  return code === 0 ? undefined : (said.split("\n").at(-1) ?? "the signature does not hold");
}
