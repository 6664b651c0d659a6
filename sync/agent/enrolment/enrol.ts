import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { isCertificateOf, makeCertificateRequest, makeP256Key, readCertificate, type Signer } from "../../../src/crypto/index.ts";
import { type Entropy, err, ok, parseHex, type Result, type Timers, toHex } from "../../../src/kernel/index.ts";
import { type EnrolRefusal, encodeEnrolRequest, hashToken } from "../../protocol/index.ts";
import { LinkLost } from "../ports.ts";
import { writeBundle, writeWhole } from "./bundle.ts";
import { askForCertificate, fetchAuthority } from "./exchange.ts";

/** Files of enrolment in a node's home. */
export const ENROLMENT_FILES = {
  /** The node's certificate with its key. */
  bundle: "sync/node.pem",
  /** The authority that the aggregator's certificate comes from. */
  authority: "sync/authority.pem",
  /** A request under way, with the key that it is for: the same is asked again after a crash. */
  request: "sync/request.json",
} as const;

/** An enrolment to be done. */
export type EnrolmentPlan = {
  readonly home: string;
  readonly node: string;
  /** Hash of the genesis document, 32 bytes. */
  readonly network: Uint8Array;
  readonly identity: Signer;
  /** https://host:port of the aggregator. */
  readonly url: string;
  readonly token: string;
  /** SHA-256 of the authority's certificate. */
  readonly pin: Uint8Array;
};

/** What an enrolment runs on. */
export type EnrolmentSurroundings = {
  readonly timers: Timers;
  readonly entropy: Entropy;
  /** Told when the request waits for somebody to approve it. */
  readonly onPending: () => void;
  /** Told of a link that was lost; the request is made again. */
  readonly onLost: (reason: string) => void;
  /** The longest wait between tries of a link, ms; it doubles from two seconds and is cut by up to a half. Undefined: two seconds. */
  readonly retryMsMax?: number;
  /** Once given, nothing is asked and nothing is written any more, and the enrolment never resolves. */
  readonly signal?: AbortSignal;
  /** Called before the request is forgotten: after a crash in between it is asked, and answered, again. */
  readonly onEnrolled?: (enrolled: EnrolledAs) => void;
};

/** Why a node is not enrolled: `wrongPin`, or what the aggregator says. */
export type EnrolmentFault = Pick<EnrolRefusal, "detail"> & { readonly code: EnrolRefusal["code"] | "wrongPin" };

/** What an enrolled node goes on with. */
export type EnrolledAs = { readonly notAfterMs: number; readonly witnessKey: Uint8Array };

const RETRY_MS = 2_000;
/** Doublings of the wait that are counted. */
const DOUBLINGS_MAX = 16;

const requestSchema = z.strictObject({
  url: z.string(),
  tokenHash: z.string(),
  identity: z.string(),
  key: z.string(),
  message: z.string(),
});

/**
 * Enrols a node: asks until it has its certificate, which is in the home when this resolves. Goes on where an earlier
 * try was interrupted. The token goes only to a server that the pinned authority certified.
 */
export async function enrol(plan: EnrolmentPlan, given: EnrolmentSurroundings): Promise<Result<EnrolledAs, EnrolmentFault>> {
  const { home, url, pin } = plan;
  const { signal, timers } = given; // an answer that is under way has its time limit, whatever was asked for meanwhile
  const surroundings = signal ? { ...given, timers: untilAborted(timers, signal) } : given;
  const authority = await persist(surroundings, () => fetchAuthority(url, timers));
  if (readCertificate(authority)?.fingerprint !== toHex(pin)) {
    return err({
      code: "wrongPin",
      detail: `the authority at ${url} is ${readCertificate(authority)?.fingerprint ?? "none"}, not the pinned one`,
    });
  }
  const { key, message } = await findOrMakeRequest(plan, surroundings.entropy);
  let isPending = false;
  for (;;) {
    const answer = await persist(surroundings, () => askForCertificate(url, "enrol", message, { ca: authority }, timers));
    if (!answer.ok) {
      const { retryAfterMs } = answer.error;
      if (retryAfterMs === undefined) {
        rmSync(join(home, ENROLMENT_FILES.request), { force: true });
        return answer;
      }
      surroundings.onLost(`${answer.error.code}: ${answer.error.detail}`);
      await pause(surroundings.timers, retryAfterMs);
    } else if (answer.value.state === "pending") {
      if (!isPending) surroundings.onPending();
      isPending = true;
      await pause(surroundings.timers, answer.value.retryAfterMs);
    } else {
      const { certificate, witnessKey } = answer.value;
      const facts = readCertificate(certificate);
      if (!facts || !isCertificateOf(certificate, key))
        return err({ code: "malformed", detail: "the aggregator answered with a certificate that is not for this key" });
      writeWhole(join(home, ENROLMENT_FILES.authority), authority);
      writeBundle(join(home, ENROLMENT_FILES.bundle), { key, cert: certificate });
      const enrolled: EnrolledAs = { notAfterMs: facts.notAfterMs, witnessKey };
      surroundings.onEnrolled?.(enrolled);
      rmSync(join(home, ENROLMENT_FILES.request), { force: true });
      return ok(enrolled);
    }
  }
}

/** The request that an earlier try made with the same token, else a new one; written down before it is sent. */
async function findOrMakeRequest(
  { home, url, token, identity, node, network }: EnrolmentPlan,
  entropy: Entropy,
): Promise<{ readonly key: string; readonly message: Uint8Array }> {
  const path = join(home, ENROLMENT_FILES.request);
  const about = { url, tokenHash: toHex(hashToken(token)), identity: toHex(identity.publicKey) };
  const kept = existsSync(path) ? readRequest(readFileSync(path, "utf8")) : undefined;
  const keptMessage = kept && parseHex(kept.message);
  if (kept && keptMessage && kept.url === url && kept.tokenHash === about.tokenHash && kept.identity === about.identity) {
    return { key: kept.key, message: keptMessage };
  }
  const key = makeP256Key(entropy);
  const csr = await makeCertificateRequest(key, { commonName: node, organization: toHex(network) });
  const message = encodeEnrolRequest({ node, network, token, csr }, identity);
  writeWhole(path, `${JSON.stringify({ ...about, key, message: toHex(message) })}\n`);
  return { key, message };
}

function readRequest(text: string): z.infer<typeof requestSchema> | undefined {
  try {
    return requestSchema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // a damaged file is as good as none
    return undefined;
  }
}

/** Tries until there is an answer; one that comes after the end was asked for is none. */
async function persist<T>(surroundings: EnrolmentSurroundings, attempt: () => Promise<T>): Promise<T> {
  const { timers, onLost, signal, entropy, retryMsMax = RETRY_MS } = surroundings;
  for (let failures = 0; ; failures++) {
    try {
      const answer = await attempt();
      if (!signal?.aborted) return answer;
    } catch (error) {
      if (!(error instanceof LinkLost)) throw error;
      if (!signal?.aborted) onLost(error.message);
    }
    const full = Math.min(retryMsMax, RETRY_MS * 2 ** Math.min(failures, DOUBLINGS_MAX));
    const cut = retryMsMax > RETRY_MS ? ((entropy.bytes(1)[0] ?? 0) / 256) * (full / 2) : 0;
    await pause(timers, Math.round(full - cut));
  }
}

/** Timers that fire no more once a signal was given: what waits for one waits for ever. */
function untilAborted(timers: Timers, signal: AbortSignal): Timers {
  return { after: (delayMs, action) => timers.after(delayMs, () => void (signal.aborted || action())) };
}

function pause(timers: Timers, delayMs: number): Promise<void> {
  return new Promise((resolve) => void timers.after(delayMs, resolve));
}
