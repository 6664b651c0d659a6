import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runTool, tryTool } from "../tools.ts";
import type { BootKeys } from "./boot-keys.ts";

/** The time that signatures bear, 2026-01-01 (tools.ts, IMAGE_EPOCH_SECONDS); the clock stands still, so equal input gives equal bytes. */
const SIGNED_AT = ["-f", "2026-01-01 00:00:00"] as const;

/**
 * Signs an EFI program, as which a kernel counts too. Signatures that it has stay beside the new one.
 *
 * @param work folder for what is in between
 */
export async function signProgram(program: Uint8Array, { db }: Pick<BootKeys, "db">, work: string): Promise<Uint8Array> {
  const [from, to] = [join(work, "unsigned.efi"), join(work, "signed.efi")];
  writeFileSync(from, program);
  rmSync(to, { force: true });
  await runTool("faketime", [...SIGNED_AT, "sbsign", "--key", db.key, "--cert", db.certificate, "--output", to, from]);
  return new Uint8Array(readFileSync(to));
}

/**
 * Checks an EFI program as a firmware does that trusts one certificate.
 *
 * @param certificate DER
 * @returns what is wrong, or undefined when this certificate's key signed these bytes
 */
export async function checkProgram(program: Uint8Array, certificate: Uint8Array, work: string): Promise<string | undefined> {
  const [path, trusted] = [join(work, "program.efi"), join(work, "trusted.pem")];
  writeFileSync(path, program);
  writeFileSync(trusted, await runTool("openssl", ["x509", "-inform", "DER"], { input: certificate }));
  const { code } = await tryTool("sbverify", ["--cert", trusted, path]);
  return code === 0 ? undefined : "no signature of it is by the certificate of db";
}
