import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Variant } from "../rootfs/identity.ts";
import { ImageFailure, runTool } from "../tools.ts";

/** Stores of a firmware, in the order in which they are filled; the last makes it demand signatures (UEFI specification, 32.3). */
export const ENROLLED = ["db", "KEK", "PK"] as const;

/** The keys by which a box's start is verified: by its firmware up to the kernel, and by the boot loader. */
export type BootKeys = {
  /** Certificate by which firmware takes loader and kernel, and its key, as files. */
  readonly db: { readonly certificate: string; readonly key: string };
  /** Signs what the boot loader reads. */
  readonly boot: KeyObject;
  /** Certificates for a firmware's stores, DER. */
  readonly certificates: Readonly<Record<(typeof ENROLLED)[number], Uint8Array>>;
};

/** Where the keys are in a folder of signing keys. */
const FOLDER = "secure-boot";
const FILES = ["db.cert.pem", "db.key.pem", "boot.cert.pem", "boot.key.pem", "KEK.cert.pem", "PK.cert.pem"] as const;
const ROLES = ["db", "boot", "KEK", "PK"] as const;

/** Part of the name of each development key. */
const DEVELOPMENT_NAME = "BIZRA development";
const DAYS = "7300";
/** Firmware must know RSA with 2048 bits; the loader's reader of keys takes no more than 4096. */
const BITS = { least: 2_048, most: 4_096 } as const;

/**
 * Opens the boot keys of a folder of signing keys. Where a development authority has none, they are made; a maker's are only
 * read.
 *
 * @throws ImageFailure naming what is missing, not RSA, no pair, or a development key under a maker's authority
 */
export async function openBootKeys(keysFolder: string, variant: Variant): Promise<BootKeys> {
  const folder = join(keysFolder, FOLDER);
  if (!existsSync(folder) && variant === "development") await makeDevelopmentKeys(folder);
  const missing = FILES.filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0)
    throw new ImageFailure(`expected the boot keys ${FILES.join(", ")} in ${folder}; there is no ${missing.join(", no ")}`);
  const certificates = { db: read(folder, "db"), boot: read(folder, "boot"), KEK: read(folder, "KEK"), PK: read(folder, "PK") };
  for (const [role, certificate] of Object.entries(certificates)) {
    if (variant === "release" && certificate.subject.includes(DEVELOPMENT_NAME))
      throw new ImageFailure(`expected a maker's ${role}.cert.pem in ${folder}, got a development one, whose key anybody can make`);
  }
  return {
    db: { certificate: join(folder, "db.cert.pem"), key: checkPair(folder, "db", certificates.db).path },
    boot: checkPair(folder, "boot", certificates.boot).key,
    certificates: { db: bytesOf(certificates.db), KEK: bytesOf(certificates.KEK), PK: bytesOf(certificates.PK) },
  };
}

function bytesOf({ raw }: X509Certificate): Uint8Array {
  return new Uint8Array(raw);
}

function read(folder: string, role: (typeof ROLES)[number]): X509Certificate {
  const path = join(folder, `${role}.cert.pem`);
  const certificate = attempt(() => new X509Certificate(readFileSync(path)), `a certificate at ${path}`);
  checkRsa(certificate.publicKey, path);
  return certificate;
}

function checkPair(folder: string, role: "db" | "boot", certificate: X509Certificate): { readonly path: string; readonly key: KeyObject } {
  const path = join(folder, `${role}.key.pem`);
  const key = attempt(() => createPrivateKey(readFileSync(path)), `a private key without a passphrase at ${path}`);
  if (!certificate.checkPrivateKey(key)) throw new ImageFailure(`expected the key of ${role}.cert.pem at ${path}, got another one`);
  return { path, key };
}

function checkRsa(key: KeyObject, path: string): void {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType !== "rsa" || bits < BITS.least || bits > BITS.most)
    throw new ImageFailure(`expected an RSA key of ${BITS.least} to ${BITS.most} bits in ${path}: firmware and boot loader know no other`);
}

/** Reads what a person gave. */
function attempt<T>(read: () => T, expected: string): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Error)) throw error; // the decoders' own errors have no class of theirs
    throw new ImageFailure(`expected ${expected}: ${error.message}`);
  }
}

/** Makes them all or none. */
async function makeDevelopmentKeys(folder: string): Promise<void> {
  const beside = mkdtempSync(`${folder}.new-`);
  try {
    for (const role of ROLES) {
      const name = `/O=BIZRA/CN=${DEVELOPMENT_NAME} ${role}, not for release`;
      const files = ["-keyout", `${role}.key.pem`, "-out", `${role}.cert.pem`, "-subj", name];
      await runTool("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-noenc", "-sha256", "-days", DAYS, ...files], { cwd: beside });
    }
    renameSync(beside, folder);
  } catch (error) {
    // Two builds may make them at once: the first one's stay.
    if (!(error instanceof Error) || !("code" in error) || !existsSync(folder)) throw error;
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}
