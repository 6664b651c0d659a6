import { isCertificateOf, makeCertificateRequest, makeP256Key, type Signer } from "../../../src/crypto/index.ts";
import { assert, type CancelTimer, type Clock, type Entropy, type Log, type Timers, toHex } from "../../../src/kernel/index.ts";
import { encodeEnrolRequest } from "../../protocol/index.ts";
import { LinkLost } from "../ports.ts";
import type { TlsClient } from "../web-socket-carrier.ts";
import { type Bundle, readBundle, writeBundle } from "./bundle.ts";
import { askForCertificate } from "./exchange.ts";

/** What a renewal stands on. */
export type RenewalParts = {
  /** File of the certificate with its key. */
  readonly path: string;
  /** PEM of the authority that the aggregators' certificates come from. */
  readonly authority: string;
  readonly urls: readonly string[];
  readonly node: string;
  /** Hash of the genesis document, 32 bytes. */
  readonly network: Uint8Array;
  readonly identity: Signer;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Told once for each certificate that nears its end without a successor, and when one has come. */
  readonly onExpiring: (notAfterMs: number) => void;
  readonly onRenewed: (notAfterMs: number) => void;
};

/** When it looks: not more often than this, and not less, since clocks jump. */
const LOOK = { minMs: 1_000, maxMs: 3_600_000, failedMinMs: 2_000, failedMaxMs: 1_800_000 } as const;
/** A certificate is renewed when this share of its life is left, and people are told at that one. */
const SHARES = { renew: 1 / 3, tell: 1 / 6 } as const;
const DAY_MS = 86_400_000;

/**
 * Keeps a node's certificate young: asks for the next one, under a new key, when a third of its life is left. Links that
 * are opened from then on prove themselves with it; those that are open go on.
 */
export class CertificateRenewal {
  readonly #parts: RenewalParts;
  #bundle: Bundle;
  #cancel: CancelTimer | undefined;
  #failures = 0;
  #isStopped = false;
  #hasTold = false;

  private constructor(parts: RenewalParts, bundle: Bundle) {
    this.#parts = parts;
    this.#bundle = bundle;
  }

  /** Reads the certificate; undefined when the file holds none with its key. Nothing is asked yet. */
  static open(parts: RenewalParts): CertificateRenewal | undefined {
    const bundle = readBundle(parts.path);
    return bundle && new CertificateRenewal(parts, bundle);
  }

  /** What a new link proves itself with. */
  get tls(): TlsClient {
    const { cert, key } = this.#bundle;
    return { cert, key, ca: this.#parts.authority };
  }

  /** When the present certificate ends, ms since the Unix epoch. */
  get notAfterMs(): number {
    return this.#bundle.notAfterMs;
  }

  /** Days until then; negative afterwards. */
  get daysLeft(): number {
    return (this.#bundle.notAfterMs - this.#parts.clock.nowMs()) / DAY_MS;
  }

  /** Begins to look after it. */
  start(): void {
    this.#look();
  }

  /** Ends. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  #look(): void {
    if (this.#isStopped) return;
    const { clock, onExpiring } = this.#parts;
    const { notAfterMs, notBeforeMs } = this.#bundle;
    const leftMs = notAfterMs - clock.nowMs();
    const lifeMs = notAfterMs - notBeforeMs;
    if (leftMs <= lifeMs * SHARES.tell && !this.#hasTold) {
      this.#hasTold = true;
      onExpiring(notAfterMs);
    }
    const dueMs = leftMs - lifeMs * SHARES.renew;
    if (dueMs > 0) this.#wait(Math.min(LOOK.maxMs, Math.max(LOOK.minMs, dueMs)));
    else void this.#renew().then((waitMs) => this.#wait(waitMs));
  }

  #wait(delayMs: number): void {
    if (!this.#isStopped) this.#cancel = this.#parts.timers.after(delayMs, () => this.#look());
  }

  /** @returns when to look again, ms from now */
  async #renew(): Promise<number> {
    const { path, urls, node, network, identity, entropy, timers, log, onRenewed } = this.#parts;
    const key = makeP256Key(entropy);
    const csr = await makeCertificateRequest(key, { commonName: node, organization: toHex(network) });
    const message = encodeEnrolRequest({ node, network, csr }, identity);
    let waitMs = Math.min(LOOK.failedMaxMs, LOOK.failedMinMs * 2 ** this.#failures);
    for (const url of urls) {
      try {
        const answer = await askForCertificate(url, "renew", message, this.tls, timers);
        if (answer.ok && answer.value.state === "issued") {
          if (!isCertificateOf(answer.value.certificate, key)) throw new LinkLost("the answer holds no certificate for this key");
          writeBundle(path, { key, cert: answer.value.certificate });
          const renewed = readBundle(path);
          assert(renewed !== undefined, "a certificate that was just written can be read");
          this.#bundle = renewed;
          this.#failures = 0;
          this.#hasTold = false;
          log.info("sync.certificateRenewed", { url, notAfterMs: renewed.notAfterMs });
          onRenewed(renewed.notAfterMs);
          return LOOK.minMs;
        }
        const refusal = answer.ok ? undefined : answer.error;
        waitMs = Math.min(LOOK.failedMaxMs, Math.max(waitMs, refusal?.retryAfterMs ?? 0));
        log.warn("sync.certificateNotRenewed", { url, code: refusal?.code, detail: refusal?.detail });
      } catch (error) {
        if (!(error instanceof LinkLost)) throw error;
        log.warn("sync.certificateNotRenewed", { url, detail: error.message });
      }
    }
    this.#failures = Math.min(this.#failures + 1, 16);
    return waitMs;
  }
}
