/** An aggregator with its own authority on a real TLS port, under a clock that a test moves, and nodes that enrol at it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { localSigner, makeCertificateRequest, makeP256Key, nativeSuite, type Signer, sha256 } from "../../../src/crypto/index.ts";
import { type Clock, parseHex, silentLog, toHex, utf8 } from "../../../src/kernel/index.ts";
import { systemClock, systemEntropy, systemTimers } from "../../../src/node/ports.ts";
import { askForCertificate, ENROLMENT_FILES, enrol } from "../../../sync/agent/index.ts";
import {
  Aggregator,
  type AggregatorSetup,
  Authority,
  type ClaimPlan,
  type EnrolmentDesk,
  type SqliteStore,
} from "../../../sync/aggregator/index.ts";
import { type EnrolRefusal, encodeEnrolRequest } from "../../../sync/protocol/index.ts";
import { network } from "../../unit/sync/agent/agent-world.ts";
import { memoryStore, witness } from "../../unit/sync/aggregator/ingest-world.ts";

const HOUR_MS = 3_600_000;
const CHEAP = { n: 2 ** 10, r: 8, p: 1 } as const;

/** Hex of the network of the tests. */
export const NETWORK = toHex(network);

/** An identity by its name. */
export function identityOf(name: string): Signer {
  return localSigner(sha256(utf8(`identity of ${name}`)));
}

/** Aggregators over one store with one authority. */
export class EnrolmentWorld {
  readonly folder = mkdtempSync(join(tmpdir(), "bizra-enrol-"));
  /** Shared by all aggregators, so none of them closes it. */
  readonly store: SqliteStore = Object.assign(memoryStore(), { close: async () => {} });
  readonly authority: Authority;
  readonly aggregators: Aggregator[] = [];
  /** Ms by which the aggregators' clock, and the nodes', is ahead of this machine's. */
  aheadMs = 0;
  readonly clock: Clock = { nowMs: () => systemClock.nowMs() + this.aheadMs, monotonicMs: () => systemClock.monotonicMs() + this.aheadMs };
  #desk: EnrolmentDesk | undefined;

  private constructor(authority: Authority) {
    this.authority = authority;
  }

  static async open(): Promise<EnrolmentWorld> {
    const { authority } = await Authority.make("a passphrase", CHEAP, systemClock.nowMs(), systemEntropy);
    const world = new EnrolmentWorld(authority);
    await world.start();
    return world;
  }

  /** Starts one more aggregator over the same store. */
  async start(change: Partial<AggregatorSetup> = {}): Promise<Aggregator> {
    const aggregator = await Aggregator.start({
      home: this.folder,
      listen: { host: "127.0.0.1", port: 0 },
      tls: undefined,
      policy: {
        isOpen: false,
        isEnrolled: true,
        knowsNetwork: (hash) => toHex(hash) === NETWORK,
        speaksFor: (name, hello) => name === hello.node,
      },
      witness,
      suite: nativeSuite,
      clock: this.clock,
      timers: systemTimers,
      entropy: systemEntropy,
      log: silentLog,
      build: { name: "test" },
      metrics: [],
      store: this.store,
      enrolment: { authority: this.authority, hosts: ["localhost", "127.0.0.1"], lifeMs: HOUR_MS },
      routes: (_store, _ingest, desk) => {
        this.#desk = desk;
        return {};
      },
      onDefect: (error) => {
        throw error;
      },
      ...change,
    });
    this.aggregators.push(aggregator);
    return aggregator;
  }

  get url(): string {
    const [first] = this.aggregators;
    if (!first) throw new Error("no aggregator runs");
    return first.url;
  }

  get desk(): EnrolmentDesk {
    if (!this.#desk) throw new Error("no aggregator runs");
    return this.#desk;
  }

  async claim(change: Partial<ClaimPlan> = {}): Promise<string> {
    const plan = { network: NETWORK, site: "here", approval: "auto", lifeMs: HOUR_MS, ...change } as const;
    return (await this.desk.makeClaim(plan, "a test")).token;
  }

  /** The home of a node. */
  homeOf(name: string): string {
    return join(this.folder, name);
  }

  /** The file of a node's certificate. */
  bundleOf(name: string): string {
    return join(this.homeOf(name), ENROLMENT_FILES.bundle);
  }

  /** Enrols a node as `bizra enroll` does. */
  enrol(name: string, token: string, pin: string = this.authority.fingerprint, onPending: () => void = () => {}) {
    return enrol(
      {
        home: this.homeOf(name),
        node: name,
        network,
        identity: identityOf(name),
        url: this.url,
        token,
        pin: parseHex(pin) ?? new Uint8Array(32),
      },
      { timers: systemTimers, entropy: systemEntropy, onPending, onLost: () => {} },
    );
  }

  /** Sends one request as it is; gives the code of the refusal, or the state of the answer. */
  async ask(message: Uint8Array, kind: "enrol" | "renew" = "enrol", tls: { cert?: string; key?: string } = {}): Promise<string> {
    const answer = await askForCertificate(this.url, kind, message, { ca: this.authority.certificate, ...tls }, systemTimers);
    return answer.ok ? answer.value.state : (answer.error satisfies EnrolRefusal).code;
  }

  async close(): Promise<void> {
    for (const aggregator of this.aggregators) await aggregator.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A request as a node makes it, with anything changed. */
export async function requestOf(
  name: string,
  token: string | undefined,
  change: { readonly signer?: Signer; readonly commonName?: string; readonly organization?: string; readonly network?: Uint8Array } = {},
): Promise<Uint8Array> {
  const about = { commonName: change.commonName ?? name, organization: change.organization ?? NETWORK };
  const csr = await makeCertificateRequest(makeP256Key(systemEntropy), about);
  const request = { node: name, network: change.network ?? network, csr, ...(token === undefined ? {} : { token }) };
  return encodeEnrolRequest(request, change.signer ?? identityOf(name));
}
