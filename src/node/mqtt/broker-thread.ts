import type { BrokerFigures, Publication, ReceivedMessage } from "../../../appliance/broker/index.ts";
import { assert, type Clock, err, type Log, ok, type Result } from "../../kernel/index.ts";
import type { HealthVerdict, MetricFamily, MetricSource } from "../../monitoring/index.ts";
import { StorageError, type StorageErrorCode } from "../../storage/index.ts";
import type { ServicePlan } from "./mqtt-service.ts";
import type { NodeDesk } from "./node-desk.ts";
import { buffersOf, packEndings, packOutcomes, unpackGroups } from "./parcels.ts";
import type { FromBroker, MqttUrls, ThreadFailure, ToBroker } from "./thread-messages.ts";

/** The thread tells its figures every two seconds; after so long without them it hangs. */
const SILENCE_MS = 15_000;

/** What the node needs of its broker. */
export type BrokerThreadParts = {
  readonly desk: NodeDesk;
  readonly clock: Clock;
  readonly log: Log;
  /** The broker can no longer keep its promises: the process must end. */
  readonly onFailure: (error: unknown) => void;
};

/** The device broker as the node sees it: a thread that is started, spoken to and stopped. */
export class BrokerThread implements MetricSource {
  readonly urls: MqttUrls;
  readonly #worker: Worker;
  readonly #parts: BrokerThreadParts;
  readonly #handlers = new Map<number, (message: ReceivedMessage) => void>();
  readonly #stopped = Promise.withResolvers<void>();
  readonly #publishing = new Map<number, () => void>();
  #nextSubscription = 1;
  #nextTicket = 1;
  #isStopped = false;
  #figures: BrokerFigures | undefined;
  #families: readonly MetricFamily[] = [];
  #heardMs: number;

  private constructor(worker: Worker, parts: BrokerThreadParts, urls: MqttUrls) {
    this.#worker = worker;
    this.#parts = parts;
    this.urls = urls;
    this.#heardMs = parts.clock.monotonicMs();
    worker.onmessage = ({ data }: MessageEvent<FromBroker>): void => this.#onMessage(data);
    worker.onerror = ({ message }: ErrorEvent): void => parts.onFailure(new Error(`the broker's thread failed: ${message}`));
    parts.desk.subscribeEndings((endings) => {
      const parcel = packEndings(endings);
      this.#send({ kind: "endings", parcel }, buffersOf(parcel.ids, parcel.proofs));
    });
  }

  /** Starts the thread and waits until its doors are open; the error is a sentence on what does not let it. */
  static async start(plan: ServicePlan, parts: BrokerThreadParts): Promise<Result<BrokerThread, string>> {
    const worker = new Worker(workerUrl(), { name: "broker", smol: true });
    const first = await new Promise<FromBroker>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<FromBroker>): void => {
        if (data.kind === "log") writeLog(parts.log, data);
        else resolve(data);
      };
      worker.onerror = ({ message }: ErrorEvent): void => reject(new Error(`the broker's thread failed: ${message}`));
      worker.postMessage({ kind: "start", plan } satisfies ToBroker);
    });
    if (first.kind === "started") return ok(new BrokerThread(worker, parts, first.urls));
    worker.terminate();
    assert(first.kind === "refused" || first.kind === "failed", "a thread first says whether it has started");
    return err(first.kind === "refused" ? first.detail : first.failure.message);
  }

  /** Publishes in the node's own name; resolves when what must survive of it is durable, or the broker has stopped. */
  publish(publication: Publication): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    const ticket = this.#nextTicket++;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#publishing.set(ticket, resolve);
    this.#send({ kind: "publish", ticket, publication });
    return promise;
  }

  /** Calls the handler for each message that the filter matches; the function ends it. */
  onPublish(filter: string, handler: (message: ReceivedMessage) => void): () => void {
    const subscription = this.#nextSubscription++;
    this.#handlers.set(subscription, handler);
    this.#send({ kind: "subscribe", subscription, filter });
    return () => {
      if (this.#handlers.delete(subscription) && !this.#isStopped) this.#send({ kind: "unsubscribe", subscription });
    };
  }

  /** Figures of at most two seconds ago; undefined before the first. */
  get figures(): BrokerFigures | undefined {
    return this.#figures;
  }

  /** What the broker's thread counted, at most two seconds ago. */
  collect(): readonly MetricFamily[] {
    return this.#families;
  }

  /** Whether the thread still speaks. */
  health(): HealthVerdict {
    const silentMs = this.#parts.clock.monotonicMs() - this.#heardMs;
    if (silentMs < SILENCE_MS) return { isOk: true };
    return { isOk: false, reason: `the device broker's thread has been silent for ${Math.round(silentMs / 1_000)} s` };
  }

  /** Tells every client, closes the doors and the file, and ends the thread. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#send({ kind: "stop" });
    await this.#stopped.promise;
    this.#worker.terminate();
    for (const resolve of this.#publishing.values()) resolve();
    this.#publishing.clear();
  }

  #onMessage(message: FromBroker): void {
    switch (message.kind) {
      case "submit":
        void this.#onSubmit(message.ticket, message.parcel);
        return;
      case "published":
        this.#publishing.get(message.ticket)?.();
        this.#publishing.delete(message.ticket);
        return;
      case "received":
        this.#handlers.get(message.subscription)?.(message.message);
        return;
      case "figures":
        this.#heardMs = this.#parts.clock.monotonicMs();
        this.#figures = message.figures;
        this.#families = message.families;
        return;
      case "log":
        writeLog(this.#parts.log, message);
        return;
      case "failed":
        this.#parts.onFailure(errorOf(message.failure));
        return;
      case "stopped":
        this.#stopped.resolve();
    }
  }

  async #onSubmit(ticket: number, parcel: Extract<FromBroker, { kind: "submit" }>["parcel"]): Promise<void> {
    try {
      const outcomes = packOutcomes(await this.#parts.desk.submit(unpackGroups(parcel)));
      this.#send({ kind: "outcomes", ticket, parcel: outcomes }, buffersOf(outcomes.ids));
    } catch (error) {
      // The mempool has failed and ends the process by its own way; the connections concerned are closed unanswered.
      this.#send({ kind: "submissionFailed", ticket, detail: error instanceof Error ? error.message : String(error) });
    }
  }

  #send(message: ToBroker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }
}

function writeLog(log: Log, { level, event, fields }: Extract<FromBroker, { kind: "log" }>): void {
  log[level](event, fields);
}

function errorOf({ message, storage }: ThreadFailure): Error {
  return storage ? new StorageError(storage.code as StorageErrorCode, storage.path, message) : new Error(message);
}

/** As for every worker: inside the compiled binary it keeps its place in the project, from source it is this file's neighbour. */
function workerUrl(): URL {
  const isCompiled = import.meta.url.includes("/$bunfs/");
  return new URL(isCompiled ? "./src/node/mqtt/broker.worker.ts" : "./broker.worker.ts", import.meta.url);
}
