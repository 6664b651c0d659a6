/**
 * The thread of the device broker: engine, doors and broker.db live here, so that no client, however many or however
 * rude, takes time from agreement. Submissions and endings cross in parcels.
 */
import type { Ending, ItemOutcome, TransactionDesk } from "../../../appliance/broker/index.ts";
import { type Log, present } from "../../kernel/index.ts";
import { isStorageError } from "../../storage/index.ts";
import { systemClock, systemEntropy, systemTimers } from "../ports.ts";
import { MqttService } from "./mqtt-service.ts";
import { buffersOf, packGroups, unpackEndings, unpackOutcomes } from "./parcels.ts";
import type { FromBroker, ToBroker } from "./thread-messages.ts";

/** How often the node hears the figures that it tells when asked. */
const FIGURES_MS = 2_000;

type Waiting = {
  readonly counts: readonly number[];
  readonly resolve: (outcomes: readonly (readonly ItemOutcome[])[]) => void;
  readonly reject: (error: unknown) => void;
};

const waiting = new Map<number, Waiting>();
const endingListeners = new Set<(endings: readonly Ending[]) => void>();
const subscriptions = new Map<number, () => void>();
let nextTicket = 1;
let service: MqttService | undefined;

addEventListener("message", (event: MessageEvent<ToBroker>) => onMessage(event.data));

function onMessage(message: ToBroker): void {
  switch (message.kind) {
    case "start": {
      const started = MqttService.start(message.plan, {
        clock: systemClock,
        timers: systemTimers,
        entropy: systemEntropy,
        log: threadLog,
        desk: threadDesk,
        onFailure: tellFailure,
      });
      if (!started.ok) {
        send({ kind: "refused", detail: started.error });
        return;
      }
      service = started.value;
      send({ kind: "started", urls: service.urls });
      tellFigures();
      return;
    }
    case "outcomes":
    case "submissionFailed": {
      const ticket = present(waiting.get(message.ticket), "an answer is that of a submission");
      waiting.delete(message.ticket);
      if (message.kind === "outcomes") ticket.resolve(unpackOutcomes(message.parcel, ticket.counts));
      else ticket.reject(new Error(message.detail));
      return;
    }
    case "endings": {
      const endings = unpackEndings(message.parcel);
      for (const listener of endingListeners) listener(endings);
      return;
    }
    case "publish":
      running()
        .broker.publish(message.publication)
        .then(() => send({ kind: "published", ticket: message.ticket }), tellFailure);
      return;
    case "subscribe": {
      const { subscription, filter } = message;
      const end = running().broker.onPublish(filter, (received) => send({ kind: "received", subscription, message: received }));
      subscriptions.set(subscription, end);
      return;
    }
    case "unsubscribe":
      subscriptions.get(message.subscription)?.();
      subscriptions.delete(message.subscription);
      return;
    case "stop":
      running()
        .stop()
        .then(() => send({ kind: "stopped" }), tellFailure);
  }
}

/** The desk stands in the node's thread; this is the way there. */
const threadDesk: TransactionDesk = {
  submit(groups) {
    const ticket = nextTicket++;
    const { promise, resolve, reject } = Promise.withResolvers<readonly (readonly ItemOutcome[])[]>();
    const parcel = packGroups(groups);
    waiting.set(ticket, { counts: parcel.counts, resolve, reject });
    send({ kind: "submit", ticket, parcel }, buffersOf(parcel.items));
    return promise;
  },
  subscribeEndings(listener) {
    endingListeners.add(listener);
    return () => void endingListeners.delete(listener);
  },
};

const threadLog: Log = {
  debug: (event, fields) => send({ kind: "log", level: "debug", event, fields }),
  info: (event, fields) => send({ kind: "log", level: "info", event, fields }),
  warn: (event, fields) => send({ kind: "log", level: "warn", event, fields }),
  error: (event, fields) => send({ kind: "log", level: "error", event, fields }),
};

function tellFigures(): void {
  if (service) send({ kind: "figures", figures: service.broker.figures(), families: service.collect() });
  systemTimers.after(FIGURES_MS, tellFigures);
}

function tellFailure(error: unknown): void {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const storage = isStorageError(error) ? { storage: { code: error.code, path: error.path } } : {};
  send({ kind: "failed", failure: { message: isStorageError(error) ? error.message : message, ...storage } });
}

function running(): MqttService {
  return present(service, "the broker is started before it is used");
}

function send(message: FromBroker, transfer: Transferable[] = []): void {
  postMessage(message, { transfer });
}
