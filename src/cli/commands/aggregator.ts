import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  type AdmissionPolicy,
  Aggregator,
  AggregatorRefused,
  DEFAULT_QUOTA,
  fleetRoutes,
  QUOTA_BYTES,
  type StorageQuota,
  USER_CHANGES_FILE,
  USERS_FILE,
  UserFile,
} from "../../../sync/aggregator/index.ts";
import { type ListenAddress, parseListenAddress } from "../../config/index.ts";
import { nativeSuite, SCRYPT_COST_DEFAULT, type Signer } from "../../crypto/index.ts";
import { makeKeyFile } from "../../identity/index.ts";
import { parseHex, toHex } from "../../kernel/index.ts";
import { createLog, processMetrics } from "../../monitoring/index.ts";
import { systemClock, systemEntropy, systemTimers, VERSION } from "../../node/index.ts";
import { acquireHomeLock, isStorageError } from "../../storage/index.ts";
import { openEnrolment } from "../aggregator-authority.ts";
import { announceAggregator, DESK_SOCKET, WITNESS_KEY, withdrawAggregator } from "../aggregator-home.ts";
import { openServices, SERVICE_FLAGS } from "../aggregator-services.ts";
import { parseByteSize } from "../byte-size.ts";
import { type Command, CommandFailure, type CommandInput, required, UsageError } from "../command.ts";
import { readText } from "../files.ts";
import { writeNew } from "../home.ts";
import { untilSignal } from "../signals.ts";
import { obtainNewPassphrase, openSigner, PASSPHRASE_FLAG } from "../signer.ts";
import type { Terminal } from "../terminal.ts";

/** `bizra aggregator`: the cloud's side, until a signal. */
export const aggregator: Command = {
  name: "aggregator",
  summary: "Takes in the events of nodes, proves and keeps them, until SIGINT or SIGTERM.",
  flags: {
    home: { kind: "text", value: "DIR", doc: "Where its key and its data are; made when it does not exist." },
    listen: { kind: "text", value: "HOST:PORT", doc: "Where it answers (default 127.0.0.1:8700)." },
    network: {
      kind: "text",
      value: "HASH",
      doc: "Genesis hash of a network whose nodes are taken; repeatable; none: of every network.",
      isRepeatable: true,
    },
    open: { kind: "presence", doc: "Takes any node by its first hello. For demonstrations: only on loopback." },
    "certificate-file": {
      kind: "text",
      value: "FILE",
      doc: "PEM of its TLS certificate; without it, it speaks plain HTTP, on loopback only.",
    },
    "key-file": { kind: "text", value: "FILE", doc: "PEM of that certificate's key." },
    "client-ca-file": {
      kind: "text",
      value: "FILE",
      doc: "PEM of the authority that signs the certificates of nodes, whose names are the nodes' ids.",
    },
    tls: {
      kind: "presence",
      doc: "Has an authority of its own, made at the first start: its certificate comes from there, and nodes enrol (`bizra aggregator claim`).",
    },
    hostname: {
      kind: "text",
      value: "NAME",
      doc: "Host name or address that nodes reach it by; repeatable; with it --tls is meant.",
      isRepeatable: true,
    },
    "certificate-life": { kind: "text", value: "TIME", doc: "With --tls: how long a node's certificate lasts (default 90d)." },
    "event-quota": {
      kind: "text",
      value: "SIZE",
      doc: "What the events of one node may take (default 64GiB); ops ends there, chain and crit later.",
    },
    "object-quota": { kind: "text", value: "SIZE", doc: "What the backups of one node may take (default 32GiB)." },
    ...SERVICE_FLAGS,
    "exit-with-parent": { kind: "presence", doc: "Also stops when standard input closes, which it does when a supervisor dies." },
    ...PASSPHRASE_FLAG,
  },
  async run(input, terminal) {
    const home = resolve(required(input, "home"));
    mkdirSync(home, { recursive: true, mode: 0o700 });
    const lock = lockHome(home);
    try {
      return await runAggregator(home, input, terminal);
    } catch (error) {
      if (error instanceof AggregatorRefused || isStorageError(error)) throw new CommandFailure(error.message);
      throw error;
    } finally {
      lock.release();
    }
  },
};

async function runAggregator(home: string, input: CommandInput, terminal: Terminal): Promise<number> {
  const listen = parseListen(input.flag("listen") ?? "127.0.0.1:8700");
  const tls = readTls(input);
  const hasAuthority = input.has("tls") || input.flags("hostname").length > 0;
  if (tls && hasAuthority) throw new UsageError("expected either --tls and --hostname, or --certificate-file with its companions");
  const isCertified = tls !== undefined || hasAuthority;
  const isLoopback = listen.host === "127.0.0.1" || listen.host === "::1" || listen.host === "localhost";
  if (!isLoopback && (!isCertified || input.has("open"))) {
    throw new UsageError(
      "expected --tls with --hostname, or --certificate-file, --key-file and --client-ca-file, and no --open, to listen on anything but loopback",
    );
  }
  const witness = await openWitness(home, input, terminal);
  const enrolment = hasAuthority ? await openEnrolment(home, listen.host, input, terminal) : undefined;
  const log = createLog({
    level: "info",
    clock: systemClock,
    destination: process.stdout,
    fields: { aggregator: toHex(witness.publicKey).slice(0, 8) },
  });
  const failure = Promise.withResolvers<{ readonly error: unknown }>();
  const quota = quotaOf(input);
  const { objects, hasObjectRoom, ...services } = await openServices(input);
  const running = await Aggregator.start({
    home,
    ...services,
    eventBytesMax: quota.eventBytes,
    listen,
    tls,
    policy: { ...policyOf(input, isCertified), isEnrolled: hasAuthority },
    ...(enrolment && { enrolment }),
    deskSocket: join(home, DESK_SOCKET),
    userChanges: join(home, USER_CHANGES_FILE),
    witness,
    suite: nativeSuite,
    clock: systemClock,
    timers: systemTimers,
    entropy: systemEntropy,
    log,
    build: { name: "bizra", version: VERSION.version, runtime: VERSION.runtime, commit: VERSION.commit },
    metrics: [processMetrics(VERSION, systemClock.nowMs())],
    onDefect: (error) => failure.resolve({ error }),
    routes: (store, _ingest, desk) =>
      fleetRoutes({
        store,
        desk,
        users: new UserFile(join(home, USERS_FILE)),
        clock: systemClock,
        timers: systemTimers,
        entropy: systemEntropy,
        log,
        isTls: isCertified,
        ...(objects && { objects, hasObjectRoom }),
        quota,
        version: VERSION.version,
      }),
  });
  announceAggregator(home, { pid: process.pid, http: running.url });
  terminal.note(`Aggregator at ${running.url}, witness key ${toHex(witness.publicKey)}`);
  if (enrolment) terminal.note(`Nodes enrol here; they pin the authority ${enrolment.authority.fingerprint}`);
  const ended = await Promise.race([
    untilSignal(
      input.has("exit-with-parent"),
      failure.promise.then(() => "failed"),
    ),
    failure.promise,
  ]);
  withdrawAggregator(home);
  if (typeof ended !== "string") {
    terminal.note(
      `bizra aggregator: stopped at once: ${ended.error instanceof Error ? (ended.error.stack ?? ended.error.message) : String(ended.error)}`,
    );
    return 1;
  }
  await running.stop();
  await objects?.close();
  return 0;
}

function quotaOf(input: CommandInput): StorageQuota {
  const sizeOf = (flag: "event-quota" | "object-quota", fallback: number): number => {
    const text = input.flag(flag);
    return text === undefined ? fallback : parseByteSize(text, `--${flag}`, QUOTA_BYTES.min, QUOTA_BYTES.max);
  };
  return {
    eventBytes: sizeOf("event-quota", DEFAULT_QUOTA.eventBytes),
    objectBytes: sizeOf("object-quota", DEFAULT_QUOTA.objectBytes),
  };
}

function policyOf(input: CommandInput, isCertified: boolean): AdmissionPolicy {
  const networks = input.flags("network").map((text) => {
    const hash = parseHex(text);
    if (hash?.length !== 32) throw new UsageError(`expected --network as 64 hex digits, got ${JSON.stringify(text)}`);
    return toHex(hash);
  });
  return {
    isOpen: input.has("open"),
    knowsNetwork: (network) => networks.length === 0 || networks.includes(toHex(network)),
    speaksFor: (name, hello) => !isCertified || name === hello.node,
  };
}

/** The key that signs acknowledgements; made at the first start. */
async function openWitness(home: string, input: CommandInput, terminal: Terminal): Promise<Signer> {
  const path = join(home, WITNESS_KEY);
  if (!existsSync(path)) {
    const { text, signer } = await makeKeyFile("witness", await obtainNewPassphrase(input, terminal), SCRYPT_COST_DEFAULT, systemEntropy);
    writeNew(path, text);
    return signer;
  }
  return await openSigner(path, "witness", input, terminal);
}

function readTls(input: CommandInput): { readonly cert: string; readonly key: string; readonly clientCa: string } | undefined {
  const [cert, key, clientCa] = [input.flag("certificate-file"), input.flag("key-file"), input.flag("client-ca-file")];
  if (cert === undefined && key === undefined && clientCa === undefined) return undefined;
  if (cert === undefined || key === undefined || clientCa === undefined) {
    throw new UsageError("expected --certificate-file, --key-file and --client-ca-file together");
  }
  return { cert: readText(cert), key: readText(key), clientCa: readText(clientCa) };
}

function parseListen(text: string): ListenAddress {
  const address = parseListenAddress(text);
  if (!address) throw new UsageError(`expected --listen as host:port, got ${JSON.stringify(text)}`);
  return address;
}

function lockHome(home: string): ReturnType<typeof acquireHomeLock> {
  try {
    return acquireHomeLock(home);
  } catch (error) {
    if (!isStorageError(error)) throw error;
    throw new CommandFailure(`${error.message}; another aggregator runs there`);
  }
}
