import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Variant } from "../rootfs/identity.ts";
import { ImageFailure, runTool } from "../tools.ts";

/** The keys that sign images and bundles: files of a folder that is in no repository. */
export type SigningKeys = {
  /** Certificate of the authority that boxes trust. */
  readonly authority: string;
  /** Certificate that the authority gave the signing key. */
  readonly certificate: string;
  readonly key: string;
  readonly variant: Variant;
};

/** File names within a folder of keys. */
const KEY_FILES = { authority: "ca.cert.pem", certificate: "sign.cert.pem", key: "sign.key.pem" } as const;

/** What a development authority is called. A box knows by its name what it must refuse. */
const DEVELOPMENT_NAME = "BIZRA development authority, not for release";

const DAYS = "7300";
const KEY_KIND = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"] as const;

/**
 * Opens a folder of keys. One that does not exist is made, with a development key in it; a maker's own keys are only read.
 *
 * @throws ImageFailure when a file is missing, or the folder lies in a repository, from which keys get about
 */
export async function openKeys(folder: string): Promise<SigningKeys> {
  const repository = findRepository(resolve(folder));
  if (repository !== undefined)
    throw new ImageFailure(`expected signing keys outside of any repository, but ${folder} lies in ${repository}`);
  if (!existsSync(folder)) await makeDevelopmentKeys(folder);
  const paths = {
    authority: join(folder, KEY_FILES.authority),
    certificate: join(folder, KEY_FILES.certificate),
    key: join(folder, KEY_FILES.key),
  };
  const missing = Object.values(paths).filter((path) => !existsSync(path));
  if (missing.length > 0)
    throw new ImageFailure(
      `expected the signing keys ${Object.values(KEY_FILES).join(", ")} in ${folder}; there is no ${missing.join(", no ")}`,
    );
  return { ...paths, variant: await variantOf(paths.authority) };
}

/** Whose authority a certificate is: the development one by its name, otherwise a maker's. */
export async function variantOf(authority: string): Promise<Variant> {
  const subject = await runTool("openssl", ["x509", "-in", authority, "-noout", "-subject", "-nameopt", "multiline"]);
  return new TextDecoder().decode(subject).includes(DEVELOPMENT_NAME) ? "development" : "release";
}

/** The authority's certificate as boxes get it. */
export function authorityText({ authority }: SigningKeys): string {
  return readFileSync(authority, "utf8");
}

function findRepository(folder: string): string | undefined {
  if (existsSync(join(folder, ".git"))) return folder;
  const parent = dirname(folder);
  return parent === folder ? undefined : findRepository(parent);
}

/** Makes an authority and a signing key under it, all or nothing. */
async function makeDevelopmentKeys(folder: string): Promise<void> {
  mkdirSync(dirname(folder), { recursive: true });
  const beside = mkdtempSync(`${folder}.new-`);
  try {
    const authority = ["-keyout", "ca.key.pem", "-out", KEY_FILES.authority, "-subj", `/O=BIZRA/CN=${DEVELOPMENT_NAME}`];
    const isAuthority = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"];
    await runTool("openssl", ["req", "-x509", ...KEY_KIND, "-days", DAYS, ...authority, ...isAuthority], { cwd: beside });
    const signer = ["-keyout", KEY_FILES.key, "-out", KEY_FILES.certificate, "-subj", "/O=BIZRA/CN=BIZRA development signer"];
    const isSigner = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "keyUsage=critical,digitalSignature"];
    const by = ["-CA", KEY_FILES.authority, "-CAkey", "ca.key.pem"];
    await runTool("openssl", ["req", "-x509", ...KEY_KIND, "-days", DAYS, ...by, ...signer, ...isSigner], { cwd: beside });
    renameSync(beside, folder);
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}
