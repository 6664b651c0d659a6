import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { type Entropy, err, ok, type Result, toHex } from "../kernel/index.ts";
import { sha256 } from "./sha256.ts";

/** Bytes of a certificate request or certificate that are looked at. */
const DER_BYTES_MAX = 4_096;

const CURVE = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNING = { name: "ECDSA", hash: "SHA-256" } as const;

/** Whom a certificate names: a node within its network, a server, an authority. */
export type CertificateName = { readonly commonName: string; readonly organization?: string };

/** What a certificate says, as far as this project asks. */
export type CertificateFacts = {
  readonly commonName: string | undefined;
  /** Hex, lower case, without leading zeros. */
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Hex of the SHA-256 of its DER form: what people pin. */
  readonly fingerprint: string;
};

/** What a certificate is for. `node` proves a client, `server` a server by its host names, `authority` signs the others. */
export type CertificateUse =
  | { readonly kind: "node" }
  | { readonly kind: "server"; readonly hosts: readonly string[] }
  | { readonly kind: "authority" };

/** A certificate to be made. Times in ms since the Unix epoch; seconds are what the format holds. */
export type CertificatePlan = {
  readonly subject: CertificateName;
  readonly use: CertificateUse;
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Uint8Array;
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** PEM of the authority's certificate; undefined: it signs itself. */
  readonly issuer: string | undefined;
  /** PKCS #8 PEM of the key that signs. */
  readonly signingKey: string;
};

/**
 * The library is loaded when it is first used; it wants reflect-metadata before itself, which bundling would not keep. It is
 * always told whose cryptography to use: WebRTC sets another one, for the whole process, that takes no keys of ours.
 */
async function load() {
  await import("reflect-metadata");
  return await import("@peculiar/x509");
}

/** Makes a certificate; PEM. */
export async function makeCertificate(plan: CertificatePlan): Promise<string> {
  const x509 = await load();
  const { use, serial, publicKey, notBeforeMs, notAfterMs, issuer } = plan;
  const subject = attributesOf(plan.subject);
  const usages = x509.KeyUsageFlags;
  const extensions = [
    new x509.BasicConstraintsExtension(use.kind === "authority", use.kind === "authority" ? 0 : undefined, true),
    new x509.KeyUsagesExtension(use.kind === "authority" ? usages.keyCertSign : usages.digitalSignature, true),
    ...(use.kind === "authority" ? [] : [new x509.ExtendedKeyUsageExtension([PURPOSE[use.kind]])]),
    ...(use.kind === "server" ? [new x509.SubjectAlternativeNameExtension(use.hosts.map(hostName))] : []),
  ];
  const parts = {
    serialNumber: serial,
    subject,
    issuer: issuer === undefined ? subject : new x509.X509Certificate(issuer).subjectName.toJSON(),
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    publicKey: await crypto.subtle.importKey("spki", Uint8Array.from(publicKey), CURVE, true, ["verify"]),
    signingKey: await importSigningKey(plan.signingKey),
    signingAlgorithm: SIGNING,
    extensions,
  };
  const certificate = await x509.X509CertificateGenerator.create(parts, crypto);
  return `${certificate.toString("pem")}\n`;
}

/** Makes a certificate request (PKCS #10) for a key; DER. */
export async function makeCertificateRequest(key: string, name: CertificateName): Promise<Uint8Array> {
  const x509 = await load();
  const publicKey = await crypto.subtle.importKey("spki", Uint8Array.from(certifiedKeyOf(key)), CURVE, true, ["verify"]);
  const keys = { privateKey: await importSigningKey(key), publicKey };
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    { name: attributesOf(name), keys, signingAlgorithm: SIGNING },
    crypto,
  );
  return new Uint8Array(request.rawData);
}

/**
 * Reads a certificate request whose own signature is right and whose key is on P-256; nothing else that it may ask for is
 * looked at.
 *
 * Errors: `malformed`.
 */
export async function readCertificateRequest(
  der: Uint8Array,
): Promise<Result<{ readonly name: CertificateName; readonly publicKey: Uint8Array }, "malformed">> {
  if (der.length > DER_BYTES_MAX) return err("malformed");
  const x509 = await load();
  try {
    const request = new x509.Pkcs10CertificateRequest(Uint8Array.from(der));
    const publicKey = new Uint8Array(request.publicKey.rawData);
    await crypto.subtle.importKey("spki", publicKey, CURVE, true, ["verify"]); // of another kind or curve: refused
    if (!(await request.verify(crypto))) return err("malformed");
    const [commonName, ...more] = request.subjectName.getField("CN");
    const [organization, ...others] = request.subjectName.getField("O");
    if (commonName === undefined || more.length + others.length > 0) return err("malformed");
    return ok({ name: { commonName, ...(organization === undefined ? {} : { organization }) }, publicKey });
  } catch (error) {
    if (error instanceof Error) return err("malformed"); // the library has errors of many kinds, DOMException among them
    throw error;
  }
}

/** Reads a certificate in PEM; undefined when it is none. */
export function readCertificate(pem: string): CertificateFacts | undefined {
  try {
    const certificate = new X509Certificate(pem);
    const [, commonName] = /^CN=(.*)$/m.exec(certificate.subject) ?? [];
    return {
      commonName,
      serial: canonicalSerial(certificate.serialNumber),
      notBeforeMs: Date.parse(certificate.validFrom),
      notAfterMs: Date.parse(certificate.validTo),
      fingerprint: toHex(sha256(new Uint8Array(certificate.raw))),
    };
  } catch (error) {
    if (error instanceof Error) return undefined; // the parser's errors have no class of their own
    throw error;
  }
}

/** Whether a certificate in PEM is for a PKCS #8 PEM key. */
export function isCertificateOf(pem: string, key: string): boolean {
  return readCertificate(pem) !== undefined && new X509Certificate(pem).checkPrivateKey(createPrivateKey(key));
}

/** SubjectPublicKeyInfo in DER of a PKCS #8 PEM key. */
export function certifiedKeyOf(key: string): Uint8Array {
  return new Uint8Array(createPublicKey(key).export({ type: "spki", format: "der" }));
}

/** A new random serial number of 16 bytes in the one form of `CertificateFacts`. */
export function makeSerial(entropy: Entropy): string {
  const bytes = entropy.bytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40; // positive, and without a leading zero
  return toHex(bytes);
}

/** A serial number in hex as libraries write it, in the one form of `CertificateFacts`. */
export function canonicalSerial(hex: string): string {
  return hex.toLowerCase().replace(/^0+(?=.)/, "");
}

/** The extended key usages of RFC 5280 section 4.2.1.12. */
const PURPOSE = { server: "1.3.6.1.5.5.7.3.1", node: "1.3.6.1.5.5.7.3.2" } as const;

function attributesOf({ commonName, organization }: CertificateName): { [type: string]: string[] }[] {
  return [{ CN: [commonName] }, ...(organization === undefined ? [] : [{ O: [organization] }])];
}

function hostName(host: string): { readonly type: "ip" | "dns"; readonly value: string } {
  return { type: /^[0-9.]+$/.test(host) || host.includes(":") ? "ip" : "dns", value: host };
}

function importSigningKey(pem: string): Promise<CryptoKey> {
  const der = createPrivateKey(pem).export({ type: "pkcs8", format: "der" });
  return crypto.subtle.importKey("pkcs8", Uint8Array.from(der), CURVE, false, ["sign"]);
}
