import { err, ok, type Result, type Timers } from "../../../src/kernel/index.ts";
import { decodeEnrolAnswer, decodeEnrolRefusal, ENROL_LIMITS, type EnrolAnswer, type EnrolRefusal } from "../../protocol/index.ts";
import { LinkLost } from "../ports.ts";
import { SYNC_MEDIA_TYPE } from "../post-carrier.ts";
import type { TlsClient } from "../web-socket-carrier.ts";

/** How long an answer may take. */
const ANSWER_MS = 30_000;

/**
 * Brings a request for a certificate to an aggregator.
 *
 * @throws LinkLost when there is no answer, or one that is none
 */
export async function askForCertificate(
  url: string,
  kind: "enrol" | "renew",
  message: Uint8Array,
  tls: TlsClient,
  timers: Timers,
): Promise<Result<EnrolAnswer, EnrolRefusal>> {
  const headers = { "content-type": SYNC_MEDIA_TYPE };
  const options = { method: "POST", body: Uint8Array.from(message), headers, tls };
  const { response, body } = await fetchBytes(`${url}/sync/v1/${kind}`, options, timers);
  if (response.headers.get("content-type") !== SYNC_MEDIA_TYPE) throw new LinkLost(`HTTP ${response.status}`);
  if (response.ok) {
    const answer = decodeEnrolAnswer(body);
    if (!answer.ok) throw new LinkLost("an answer that is none");
    return ok(answer.value);
  }
  const refusal = decodeEnrolRefusal(body);
  if (!refusal.ok) throw new LinkLost("a refusal that is none");
  return err(refusal.value);
}

/**
 * The certificate of an aggregator's authority, as whoever answers there says: nothing is proven by it before it is
 * compared with a pin.
 *
 * @throws LinkLost
 */
export async function fetchAuthority(url: string, timers: Timers): Promise<string> {
  const { response, body } = await fetchBytes(`${url}/sync/v1/authority`, { tls: { rejectUnauthorized: false } }, timers);
  if (!response.ok) throw new LinkLost(`HTTP ${response.status}: it has no authority of its own`);
  return new TextDecoder().decode(body);
}

async function fetchBytes(
  url: string,
  options: BunFetchRequestInit,
  timers: Timers,
): Promise<{ readonly response: Response; readonly body: Uint8Array }> {
  const abort = new AbortController();
  const cancel = timers.after(ANSWER_MS, () => abort.abort(new LinkLost("no answer")));
  try {
    const response = await Bun.fetch(url, { ...options, redirect: "error", signal: abort.signal });
    const body = new Uint8Array(await response.arrayBuffer());
    if (body.length > ENROL_LIMITS.answerBytesMax) throw new LinkLost("an answer of too many bytes");
    return { response, body };
  } catch (error) {
    if (error instanceof LinkLost) throw error;
    throw new LinkLost(error instanceof Error ? error.message : String(error)); // fetch has errors of many kinds
  } finally {
    cancel();
  }
}
