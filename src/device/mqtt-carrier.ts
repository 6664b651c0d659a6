import { base64 } from "@scure/base";
import { err, ok, parseHex, type Result, type Timers, toHex } from "../kernel/index.ts";
import { networkIdOf, PROOF_LIMITS } from "../protocol/index.ts";
import type { Carrier, ChainTerms, LookUp, SubmitAnswer } from "./carrier.ts";
import { parseJson, textIn, wideIn } from "./json.ts";
import type { SignedTransaction } from "./transactions.ts";

/** How a QoS 1 publication was answered. `reasonCode` is that of an MQTT 5 PUBACK; a 3.1.1 one says nothing, it is 0. */
export type MqttAcknowledgement = { readonly reasonCode: number; readonly reasonString?: string; readonly retryAfterSeconds?: number };

/** An MQTT client, as far as it is used. `mqttJsPort` makes one of mqtt.js's. */
export interface MqttPort {
  /** 5, or 4 for MQTT 3.1.1, whose acknowledgement does not say whether a transaction was taken. */
  readonly version: 4 | 5;
  /** Publishes with QoS 1; resolves at the PUBACK, rejects when there is none to be had. */
  publish(topic: string, payload: Uint8Array): Promise<MqttAcknowledgement>;
  /** Subscribes with QoS 1, and again whenever the connection was lost; rejects when it is refused. */
  subscribe(topic: string): Promise<void>;
  /** Has every message told. */
  onMessage(listener: (topic: string, payload: Uint8Array) => void): void;
}

/** Whose topics a carrier uses. */
export type MqttCarrierOptions = {
  readonly client: MqttPort;
  readonly genesisHash: Uint8Array;
  /** The name that the broker knows the device by: its client id, or its certificate's or login's name. */
  readonly device: string;
  readonly timers: Timers;
  /** How long an acknowledgement is waited for, milliseconds; default 15,000. */
  readonly timeoutMs?: number;
};

/** What the node told of a transaction. */
type Receipt = { readonly status: string; readonly code: string; readonly detail: string; readonly proof?: Uint8Array };

/** Receipts kept at most; the oldest goes, and is told again when the same bytes are sent again. */
const RECEIPTS_MAX = 512;
const PROOF_TEXT_MAX = Math.ceil(PROOF_LIMITS.bundleBytesMax / 3) * 4;
/** Codes of MQTT 5 that speak for themselves; where the Reason String names a code, that counts. */
const REASONS: ReadonlyMap<number, string> = new Map([
  [0x80, "internal"],
  [0x83, "internal"],
  [0x87, "notAuthorized"],
  [0x90, "notAuthorized"],
  [0x95, "tooLarge"],
  [0x97, "quotaExceeded"],
  [0x99, "malformed"],
]);

/**
 * The carrier over MQTT: `bizra/v1/{net}/tx/{device}/submit` and the receipts that come back. It cannot ask for a nonce; the
 * height it knows from the node's retained `head`, where that is published and may be read.
 *
 * @see docs/devices.md
 */
export class MqttCarrier implements Carrier {
  readonly name: string;
  readonly #options: MqttCarrierOptions;
  readonly #prefix: string;
  readonly #receipts = new Map<string, Receipt>();
  readonly #waiting = new Map<string, Set<() => void>>();
  #height: bigint | undefined;
  #subscribed: Promise<void> | undefined;

  constructor(options: MqttCarrierOptions) {
    this.name = `MQTT as ${options.device}`;
    this.#options = options;
    this.#prefix = `bizra/v1/${networkIdOf(options.genesisHash)}`;
    options.client.onMessage((topic, payload) => this.#onMessage(topic, payload));
  }

  /** Publishes the COSE bytes. Over MQTT 3.1.1 the receipt says what the acknowledgement cannot. */
  async submit({ id, encoded }: SignedTransaction): Promise<SubmitAnswer> {
    const { client, device, timeoutMs = 15_000 } = this.#options;
    const key = toHex(id);
    const before = this.#receipts.get(key);
    if (before?.status === "rejected") this.#receipts.delete(key);
    const answer = await this.#attempt(async () => {
      await this.#subscribe();
      return await client.publish(`${this.#prefix}/tx/${device}/submit`, encoded);
    });
    if (!answer.ok) return { kind: "noAnswer", detail: answer.error };
    const { reasonCode, reasonString = "", retryAfterSeconds } = answer.value;
    if (reasonCode >= 0x80) {
      const code = /^[a-z][A-Za-z]{2,40}/.exec(reasonString)?.[0] ?? REASONS.get(reasonCode) ?? "internal";
      const retry = retryAfterSeconds === undefined ? {} : { retryAfterMs: retryAfterSeconds * 1_000 };
      return { kind: "refused", code, detail: `MQTT reason 0x${reasonCode.toString(16)} ${reasonString}`.trim(), ...retry };
    }
    if (client.version === 5) return { kind: "accepted" };
    await this.#await(key, timeoutMs);
    const receipt = this.#receipts.get(key);
    if (!receipt) return { kind: "noAnswer", detail: "acknowledged, but no receipt came" };
    if (receipt.status !== "rejected" || receipt.code === "duplicate") return { kind: "accepted" };
    return { kind: "refused", code: receipt.code || "internal", detail: receipt.detail || receipt.code };
  }

  /** What receipts have told, after waiting for one. */
  async lookUp(id: Uint8Array, waitMs: number): Promise<LookUp> {
    const key = toHex(id);
    const subscribed = await this.#attempt(() => this.#subscribe());
    if (!subscribed.ok) return { kind: "noAnswer", detail: subscribed.error };
    if (!this.#hasEnded(key) && waitMs > 0) await this.#await(key, waitMs);
    const receipt = this.#receipts.get(key);
    if (receipt?.proof) {
      this.#receipts.delete(key); // told once: if it proves nothing, a better one has room to come
      return { kind: "proof", bundle: receipt.proof };
    }
    if (receipt?.status === "expired" || receipt?.status === "superseded") return { kind: receipt.status };
    return { kind: "unproven" };
  }

  /** The height that the node's retained `head` tells. */
  async terms(): Promise<Result<ChainTerms, string>> {
    const subscribed = await this.#attempt(() => this.#subscribe());
    if (!subscribed.ok) return subscribed;
    return ok({ height: this.#height ?? 0n });
  }

  #hasEnded(key: string): boolean {
    const receipt = this.#receipts.get(key);
    return receipt !== undefined && (receipt.proof !== undefined || receipt.status === "expired" || receipt.status === "superseded");
  }

  async #subscribe(): Promise<void> {
    const { client, device } = this.#options;
    this.#subscribed ??= Promise.all([
      client.subscribe(`${this.#prefix}/tx/${device}/receipt`),
      client.subscribe(`${this.#prefix}/node/+/head`),
    ]).then(() => {});
    await this.#subscribed;
  }

  /** Runs what the MQTT client may fail at, within the time there is. What it rejects with is an Error, and passing. */
  async #attempt<T>(act: () => Promise<T>): Promise<Result<T, string>> {
    const { timers, timeoutMs = 15_000 } = this.#options;
    return new Promise((resolve, reject) => {
      const cancel = timers.after(timeoutMs, () => resolve(err("the broker did not answer in time")));
      act().then(
        (value) => {
          cancel();
          resolve(ok(value));
        },
        (error: unknown) => {
          cancel();
          this.#subscribed = undefined;
          if (error instanceof Error) resolve(err(error.message));
          else reject(error);
        },
      );
    });
  }

  /** Waits until something is told of a transaction, or for this long. */
  #await(key: string, waitMs: number): Promise<void> {
    if (this.#receipts.has(key) && this.#options.client.version === 4 && waitMs <= (this.#options.timeoutMs ?? 15_000))
      return Promise.resolve();
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(key) ?? new Set();
      this.#waiting.set(key, waiting);
      const done = (): void => {
        cancel();
        waiting.delete(done);
        if (waiting.size === 0) this.#waiting.delete(key);
        resolve();
      };
      const cancel = this.#options.timers.after(waitMs, done);
      waiting.add(done);
    });
  }

  #onMessage(topic: string, payload: Uint8Array): void {
    if (payload.length > PROOF_TEXT_MAX + 1_024) return;
    const json = parseJson(new TextDecoder().decode(payload));
    if (!json) return;
    if (topic.startsWith(`${this.#prefix}/node/`) && topic.endsWith("/head")) {
      this.#height = wideIn(json, "height") ?? this.#height;
      return;
    }
    if (topic !== `${this.#prefix}/tx/${this.#options.device}/receipt`) return;
    const key = textIn(json, "id");
    if (parseHex(key)?.length !== 32) return;
    const proof = parseBase64(textIn(json, "proof"));
    const receipt = { status: textIn(json, "status"), code: textIn(json, "code"), detail: textIn(json, "detail"), ...(proof && { proof }) };
    if (this.#hasEnded(key) && !proof) return; // what came late says less
    this.#receipts.delete(key);
    this.#receipts.set(key, receipt);
    for (const oldest of this.#receipts.keys()) if (this.#receipts.size > RECEIPTS_MAX) this.#receipts.delete(oldest);
    for (const done of [...(this.#waiting.get(key) ?? [])]) done();
  }
}

function parseBase64(text: string): Uint8Array | undefined {
  return text !== "" && text.length <= PROOF_TEXT_MAX && /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0
    ? base64.decode(text)
    : undefined;
}
