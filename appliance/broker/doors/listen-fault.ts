import { err, ok, type Result } from "../../../src/kernel/index.ts";
import type { DoorAddress, DoorFault } from "./types.ts";

const FAULTS: Readonly<Record<string, { readonly code: DoorFault["code"]; readonly reason: string }>> = {
  EADDRINUSE: { code: "addressInUse", reason: "another program listens there; stop it, or choose another port" },
  EADDRNOTAVAIL: { code: "addressNotAvailable", reason: "this machine has no such address; choose one of its own" },
  EACCES: { code: "permissionDenied", reason: "this user may not; choose a port above 1023" },
};

/** Opens something that listens; a refusal by the system becomes a sentence. */
export function listening<T>(name: string, { host, port }: DoorAddress, open: () => T): Result<T, DoorFault> {
  try {
    return ok(open());
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const code = "code" in error ? String(error.code) : "";
    const known = FAULTS[code];
    const place = `${name}: cannot listen on ${host.includes(":") ? `[${host}]` : host}:${port}`;
    if (known) return err({ code: known.code, detail: `${place}: ${known.reason}` });
    if (code.startsWith("ERR_SSL") || /\b(SSL|TLS|PEM|certificate|key)\b/i.test(error.message)) {
      return err({ code: "tlsUnusable", detail: `${name}: certificate, key or client authority cannot be used: ${error.message}` });
    }
    throw error;
  }
}

/** The URL of an address. */
export function urlOf(scheme: string, host: string, port: number): string {
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
