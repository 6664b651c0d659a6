import {
  type AccessList,
  type Anonymity,
  BROKER_DATABASE,
  type Broker,
  type BrokerLimits,
  createBroker,
  DeviceAccess,
  DoorCounts,
  type DoorPlan,
  markOf,
  type OpenDoors,
  openDoors,
  readAccessFile,
  type SubmissionLimits,
  Submissions,
  type TopicScope,
  type TransactionDesk,
} from "../../../appliance/broker/index.ts";
import { type CancelTimer, type Clock, type Entropy, err, type Log, ok, type Result, type Timers } from "../../kernel/index.ts";
import type { MetricFamily } from "../../monitoring/index.ts";
import { type Database, isStorageError, openDatabase } from "../../storage/index.ts";

/** What a node's broker is told; nothing but values, for it crosses to another thread. */
export type ServicePlan = {
  /** Path of broker.db. */
  readonly databasePath: string;
  /** Path of the access file, which may be absent. */
  readonly accessPath: string;
  readonly scope: TopicScope;
  readonly version: string;
  readonly anonymous: Anonymity;
  readonly doors: DoorPlan;
  readonly limits: Partial<BrokerLimits>;
  readonly submissionLimits: SubmissionLimits;
};

/** What a broker needs of its surroundings. */
export type ServicePorts = {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly desk: TransactionDesk;
  /** The disk refused, or an invariant broke: the owner ends the process. */
  readonly onFailure: (error: unknown) => void;
};

/** How often the access file is looked at for a change. */
const ACCESS_WATCH_MS = 1_000;
/** How long clients have at a stop to take what waits for them. */
const STOP_MS = 2_000;

/** The device broker of a node, whole: engine, access, submissions and doors on one thread. */
export class MqttService {
  readonly broker: Broker;
  readonly urls: OpenDoors["urls"];
  readonly #plan: ServicePlan;
  readonly #ports: ServicePorts;
  readonly #database: Database;
  readonly #access: DeviceAccess;
  readonly #submissions: Submissions;
  readonly #doors: OpenDoors;
  readonly #counts: DoorCounts;
  #accessMark: string;
  #cancelWatch: CancelTimer = () => {};

  private constructor(
    plan: ServicePlan,
    ports: ServicePorts,
    parts: {
      readonly database: Database;
      readonly access: DeviceAccess;
      readonly broker: Broker;
      readonly submissions: Submissions;
      readonly counts: DoorCounts;
      readonly doors: OpenDoors;
      readonly accessMark: string;
    },
  ) {
    this.#plan = plan;
    this.#ports = ports;
    this.broker = parts.broker;
    this.urls = parts.doors.urls;
    this.#database = parts.database;
    this.#access = parts.access;
    this.#submissions = parts.submissions;
    this.#counts = parts.counts;
    this.#doors = parts.doors;
    this.#accessMark = parts.accessMark;
    this.#watchAccess();
  }

  /** Starts it; the error is a sentence on the file or address that does not let it, and nothing is left open. */
  static start(plan: ServicePlan, ports: ServicePorts): Result<MqttService, string> {
    const { clock, timers, entropy, log, desk, onFailure } = ports;
    const accessMark = markOf(plan.accessPath);
    const list = readAccessFile(plan.accessPath);
    if (!list.ok) return list;
    const database = openBrokerDatabase(plan.databasePath);
    if (!database.ok) return database;
    for (const { file, detail } of database.value.notices) log.error("storage.damaged", { file, detail });
    const access = new DeviceAccess({ scope: plan.scope, anonymous: plan.anonymous, clock, log });
    access.replace(list.value);
    const submissions = new Submissions({
      scope: plan.scope,
      desk,
      access,
      publish: (publication) => void broker.publish(publication).catch(onFailure),
      timers,
      log,
      limits: plan.submissionLimits,
    });
    const { version, limits } = plan;
    const options = { clock, timers, entropy, log, database: database.value, access, intakes: [submissions], limits, version, onFailure };
    const broker = createBroker(options);
    const counts = new DoorCounts();
    const doors = openDoors(plan.doors, { broker, timers, log, counts });
    if (!doors.ok) {
      submissions.stop();
      void broker.stop().then(() => database.value.close());
      return err(doors.error.detail);
    }
    const parts = { database: database.value, access, broker, submissions, counts, doors: doors.value, accessMark };
    return ok(new MqttService(plan, ports, parts));
  }

  /** What engine, access, doors and submissions count. */
  collect(): MetricFamily[] {
    return [this.broker, this.#access, this.#counts, this.#submissions].flatMap((source) => [...source.collect()]);
  }

  /** Lets nobody in any more, tells every client, and closes the file when what must survive is on disk. */
  async stop(): Promise<void> {
    this.#cancelWatch();
    this.#doors.close();
    const cancel = this.#ports.timers.after(STOP_MS, () => this.#doors.closeAll());
    await this.broker.stop();
    cancel();
    this.#submissions.stop();
    this.#doors.closeAll();
    this.#database.close();
  }

  /** A changed access file is in force within a second; one that cannot be read leaves the rules as they are. */
  #watchAccess(): void {
    this.#cancelWatch = this.#ports.timers.after(ACCESS_WATCH_MS, () => {
      const mark = markOf(this.#plan.accessPath);
      if (mark !== this.#accessMark) {
        this.#accessMark = mark;
        const list = readAccessFile(this.#plan.accessPath);
        if (list.ok) this.#putInForce(list.value);
        else this.#ports.log.error("mqtt.accessNotRead", { detail: list.error });
      }
      this.#watchAccess();
    });
  }

  #putInForce(list: AccessList): void {
    const disconnected = this.broker.disconnect(this.#access.replace(list));
    this.#ports.log.info("mqtt.accessChanged", { users: list.size, disconnected });
  }
}

function openBrokerDatabase(path: string): Result<Database, string> {
  try {
    return ok(openDatabase({ ...BROKER_DATABASE, path, create: true }));
  } catch (error) {
    if (!isStorageError(error)) throw error;
    const remedy = "it holds sessions and retained messages of MQTT clients and nothing of the chain: move it away, and it is made anew";
    return err(`${error.message}; ${remedy}`);
  }
}
