import { z } from "zod";
import {
  certifiedKeyOf,
  makeCertificate,
  makeP256Key,
  makeSerial,
  openSecret,
  readCertificate,
  type ScryptCost,
  sealSecret,
} from "../../../src/crypto/index.ts";
import { type Entropy, err, ok, type Result, utf8 } from "../../../src/kernel/index.ts";

const FORMAT = "bizra-authority/1";
const DAY_MS = 86_400_000;
const AUTHORITY_LIFE_MS = 3_650 * DAY_MS;
/** How far a certificate reaches back, for clocks that are behind; at most a tenth of its life. */
const BACKDATED_MS = 3_600_000;

const fileSchema = z.strictObject({ format: z.literal(FORMAT), certificate: z.string(), sealed: z.record(z.string(), z.unknown()) });

/** A certificate as it was made. */
export type Issued = { readonly pem: string; readonly serial: string; readonly notAfterMs: number };

/** Why an authority's file cannot be used, in words for the person who can mend it. */
export type AuthorityFault = { readonly code: "malformed" | "wrongPassphrase"; readonly detail: string };

/**
 * An aggregator's certificate authority: signs its own server certificate and those of the nodes that it enrols. Replicas
 * over one store share one, as a copy of its file.
 *
 * Invariants: its key lies sealed and leaves this class never; it signs no other authorities; a node's certificate proves
 * clients only, the server's servers only.
 */
export class Authority {
  /** Its own certificate, PEM. */
  readonly certificate: string;
  /** Hex of the SHA-256 of that certificate: what nodes pin. */
  readonly fingerprint: string;
  readonly #key: string;
  readonly #entropy: Entropy;

  private constructor(certificate: string, fingerprint: string, key: string, entropy: Entropy) {
    this.certificate = certificate;
    this.fingerprint = fingerprint;
    this.#key = key;
    this.#entropy = entropy;
  }

  /** Makes an authority and the text of its file, its key sealed under a passphrase. */
  static async make(
    passphrase: string,
    cost: ScryptCost,
    nowMs: number,
    entropy: Entropy,
  ): Promise<{ readonly authority: Authority; readonly text: string }> {
    const key = makeP256Key(entropy);
    const certificate = await makeCertificate({
      subject: { commonName: "BIZRA aggregator authority" },
      use: { kind: "authority" },
      publicKey: certifiedKeyOf(key),
      serial: makeSerial(entropy),
      notBeforeMs: nowMs - BACKDATED_MS,
      notAfterMs: nowMs + AUTHORITY_LIFE_MS,
      issuer: undefined,
      signingKey: key,
    });
    const sealed: unknown = JSON.parse(await sealSecret(utf8(key), passphrase, cost, entropy));
    const text = `${JSON.stringify({ format: FORMAT, certificate, sealed }, null, 2)}\n`;
    return { authority: new Authority(certificate, readCertificate(certificate)?.fingerprint ?? "", key, entropy), text };
  }

  /** Opens the text of an authority's file. */
  static async open(text: string, passphrase: string, entropy: Entropy): Promise<Result<Authority, AuthorityFault>> {
    const malformed = err({
      code: "malformed",
      detail: `expected an authority of format ${FORMAT}; it is another file, or damaged`,
    } as const);
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error; // how JSON.parse reports malformed text
      return malformed;
    }
    const parsed = fileSchema.safeParse(json);
    const facts = parsed.success ? readCertificate(parsed.data.certificate) : undefined;
    if (!parsed.success || !facts) return malformed;
    const key = await openSecret(JSON.stringify(parsed.data.sealed), passphrase);
    if (!key.ok) return err({ code: key.error, detail: "the passphrase is wrong, or the file is damaged" });
    return ok(new Authority(parsed.data.certificate, facts.fingerprint, new TextDecoder().decode(key.value), entropy));
  }

  /** Signs a node's certificate. */
  issueNode(
    { node, network, publicKey }: { readonly node: string; readonly network: string; readonly publicKey: Uint8Array },
    nowMs: number,
    lifeMs: number,
  ): Promise<Issued> {
    return this.#issue({ subject: { commonName: node, organization: network }, use: { kind: "node" }, publicKey }, nowMs, lifeMs);
  }

  /** Makes a key and a certificate for a server; the authority's own certificate follows it in the chain. */
  async issueServer(
    hosts: readonly string[],
    nowMs: number,
    lifeMs: number,
  ): Promise<Pick<Issued, "notAfterMs"> & { readonly cert: string; readonly key: string }> {
    const key = makeP256Key(this.#entropy);
    const subject = { commonName: hosts[0] ?? "localhost" };
    const { pem, notAfterMs } = await this.#issue(
      { subject, use: { kind: "server", hosts }, publicKey: certifiedKeyOf(key) },
      nowMs,
      lifeMs,
    );
    return { cert: `${pem}${this.certificate}`, key, notAfterMs };
  }

  async #issue(
    about: Pick<Parameters<typeof makeCertificate>[0], "subject" | "use" | "publicKey">,
    nowMs: number,
    lifeMs: number,
  ): Promise<Issued> {
    const serial = makeSerial(this.#entropy);
    const notAfterMs = Math.floor((nowMs + lifeMs) / 1_000) * 1_000; // the format holds seconds
    const notBeforeMs = nowMs - Math.min(BACKDATED_MS, lifeMs / 10);
    const pem = await makeCertificate({ ...about, serial, notBeforeMs, notAfterMs, issuer: this.certificate, signingKey: this.#key });
    return { pem, serial, notAfterMs };
  }
}
