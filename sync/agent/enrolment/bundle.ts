import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { readCertificate } from "../../../src/crypto/index.ts";

/** A node's certificate with its key. */
export type Bundle = {
  /** PKCS #8 PEM. */
  readonly key: string;
  /** PEM. */
  readonly cert: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
};

const KEY = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n?/;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/;

/** Reads what `writeBundle` writes; undefined when the file is missing or holds no certificate with a key. */
export function readBundle(path: string): Bundle | undefined {
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, "utf8");
  const [key] = KEY.exec(text) ?? [];
  const [cert] = CERTIFICATE.exec(text) ?? [];
  const facts = cert === undefined ? undefined : readCertificate(cert);
  if (key === undefined || cert === undefined || !facts) return undefined;
  return { key, cert, notBeforeMs: facts.notBeforeMs, notAfterMs: facts.notAfterMs };
}

/** Puts a certificate and its key into one file: they change together or not at all. */
export function writeBundle(path: string, { key, cert }: Pick<Bundle, "key" | "cert">): void {
  writeWhole(path, `${key.trim()}\n${cert.trim()}\n`);
}

/** Replaces a file for its owner's eyes alone: durable when it returns, and whole at any moment. */
export function writeWhole(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.new`;
  const file = openSync(temporary, "w", 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const folder = openSync(dirname(path), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
