import type { Clock, Entropy, Log, Timers } from "../../../src/kernel/index.ts";
import type { Counters } from "../counters.ts";
import type { Journal } from "../journal.ts";
import type { BrokerLimits } from "../limits.ts";
import type { Router } from "../routing/router.ts";
import type { Sessions } from "../session/sessions.ts";
import type { Access, Intake } from "../types.ts";
import type { Wills } from "../wills.ts";

/** What all connections of a broker share. */
export interface Surroundings {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly limits: BrokerLimits;
  readonly access: Access;
  readonly intakes: readonly Intake[];
  readonly counters: Counters;
  readonly journal: Journal;
  readonly router: Router;
  readonly sessions: Sessions;
  readonly wills: Wills;
  /** Bytes of packets that are not whole yet, of all connections. */
  readonly partial: { bytes: number };
}
