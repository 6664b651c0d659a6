import type { CancelTimer, Clock, Entropy, Log, Timers } from "../../src/kernel/index.ts";
import { findOffer } from "./offer.ts";
import { afterLook, findReasonToWait, type LookFacts, type LookState, planLook, type UpdatePolicy } from "./policy.ts";
import type { AskServer } from "./ranges.ts";
import type { Updater } from "./service.ts";

/** Between two looks at the clock and the policy. */
const TICK_MS = 60_000;

/** What an attendant stands on. */
export type AttendantParts = {
  readonly updater: Pick<Updater, "status" | "order">;
  /** What the box was told, as it is now. */
  readonly policy: () => UpdatePolicy;
  /** Where a channel is; undefined while nobody offers one. */
  readonly findChannel: (policy: UpdatePolicy) => string | undefined;
  readonly isClockTrusted: () => boolean;
  readonly ask: AskServer;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly log: Log;
  /** Told of a defect of this program. */
  readonly onDefect: (error: unknown) => void;
};

/** Orders what a channel offers, when the policy lets it: what is done by nobody is done by the same checks, and never twice. */
export class Attendant {
  readonly #parts: AttendantParts;
  #look: LookState | undefined;
  #cancel: CancelTimer = () => {};
  #isStopped = false;

  constructor(parts: AttendantParts) {
    this.#parts = parts;
  }

  /** Looks from now on. */
  start(): void {
    const { timers, onDefect } = this.#parts;
    this.#cancel = timers.after(TICK_MS, () => {
      this.#tick()
        .catch(onDefect)
        .finally(() => (this.#isStopped ? undefined : this.start()));
    });
  }

  /** Looks no more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  /** Why what was installed without a person is not restarted into now, as a sentence part. */
  findReasonToWait(): string | undefined {
    const { policy, clock, isClockTrusted } = this.#parts;
    return findReasonToWait(policy(), clock.nowMs(), isClockTrusted());
  }

  async #tick(): Promise<void> {
    const { policy, findChannel } = this.#parts;
    const now = policy();
    const planned = planLook(this.#look, now, this.#facts());
    this.#look = planned.state;
    if (!planned.isDue || planned.state === undefined) return;
    const channel = findChannel(now);
    if (channel === undefined) return;
    const isReached = await this.#askChannel(channel);
    this.#look = afterLook(planned.state, isReached, this.#facts());
  }

  /** @returns whether the channel answered */
  async #askChannel(channel: string): Promise<boolean> {
    const { updater, timers, ask, log } = this.#parts;
    const { version, compatible, floor, failed } = updater.status;
    const offer = await findOffer(channel, { stamp: { version, compatible }, floor, failed, isUnattended: true }, timers, ask);
    if (this.#isStopped) return true;
    if (!offer.ok) {
      log.info("update.noOffer", { code: offer.error.code, detail: offer.error.detail });
      return offer.error.code !== "sourceUnreachable";
    }
    const { url, sha256, version: offered } = offer.value;
    const ordered = updater.order({ source: { kind: "url", url }, sha256, isUnattended: true });
    log.info("update.offer", { version: offered, isTaken: ordered.ok, ...(ordered.ok ? {} : { code: ordered.error.code }) });
    return true;
  }

  #facts(): LookFacts {
    const { clock, entropy, isClockTrusted } = this.#parts;
    const draw = Buffer.from(entropy.bytes(4)).readUInt32BE() / 2 ** 32;
    return { monotonicMs: clock.monotonicMs(), nowMs: clock.nowMs(), isClockTrusted: isClockTrusted(), draw };
  }
}
