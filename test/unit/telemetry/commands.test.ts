import { describe, expect, test } from "bun:test";
import {
  type Command,
  CommandDoor,
  type CommandOutcome,
  decodeCommand,
  encodeCommand,
  fleetKeysOf,
  isAnswerTopic,
  openCommand,
  signCommand,
  TelemetryStore,
} from "../../../appliance/telemetry/index.ts";
import { DOMAIN_TAGS, localSigner, nativeSuite, sha256, signCoseSign1 } from "../../../src/crypto/index.ts";
import { decodePayload } from "../../../src/events/index.ts";
import { ok, silentLog, toHex, utf8 } from "../../../src/kernel/index.ts";
import { EventBench } from "../events/event-fixture.ts";
import { FakeOutlet, jsonOf, memoryStore, NODE, settled } from "./telemetry-fixture.ts";

const CHAIN = sha256(utf8("a chain"));
const admin = localSigner(sha256(utf8("admin")));
const operator = localSigner(sha256(utf8("operator")));
const viewer = localSigner(sha256(utf8("viewer")));
const stranger = localSigner(sha256(utf8("stranger")));
const CMD = "bizra/v1/0123abcd/node/box-1/cmd";
const ANSWERS = "bizra/v1/0123abcd/fleet/ops/answers";

class Rig {
  readonly bench = new EventBench();
  readonly log = this.bench.open();
  readonly kept = memoryStore();
  outlet = new FakeOutlet();
  readonly done: string[] = [];
  #nextId = 0;

  constructor() {
    this.restart();
  }

  restart(): void {
    const act =
      (verb: string) =>
      (args: Readonly<Record<string, string>>): CommandOutcome => {
        this.done.push(`${verb} ${JSON.stringify(args)}`);
        return ok({ did: verb });
      };
    this.outlet = new FakeOutlet();
    new CommandDoor({
      name: NODE,
      chainId: CHAIN,
      keys: fleetKeysOf([`admin:${toHex(admin.publicKey)}`, `operator:${toHex(operator.publicKey)}`, `viewer:${toHex(viewer.publicKey)}`]),
      suite: nativeSuite,
      store: new TelemetryStore(this.kept.database, silentLog),
      events: this.log,
      actions: {
        ping: act("ping"),
        report: act("report"),
        rebirth: act("rebirth"),
        logLevel: act("logLevel"),
        restart: act("restart"),
        stop: act("stop"),
      },
      clock: this.bench.time,
      log: silentLog,
    }).attach(this.outlet);
    this.outlet.connect();
  }

  command(change: Partial<Command> = {}): Omit<Command, "key"> {
    const id = new Uint8Array(16);
    new DataView(id.buffer).setUint32(0, ++this.#nextId);
    return {
      chainId: CHAIN,
      node: "box-1",
      verb: "ping",
      args: {},
      issuedAtMs: this.bench.time.nowMs(),
      validityMs: 60_000,
      id,
      ...change,
    };
  }

  /** Sends bytes on a verb's topic; gives the answer. */
  async send(payload: Uint8Array, verb = "ping", responseTopic = ANSWERS): Promise<Readonly<Record<string, unknown>> | undefined> {
    const before = this.outlet.published.length;
    this.outlet.receive(`${CMD}/+`, { topic: `${CMD}/${verb}`, payload, responseTopic, correlationData: utf8("c1") });
    await settled();
    return this.outlet.published.length > before ? jsonOf(this.outlet.published.at(-1)) : undefined;
  }

  /** Audit records: outcome and detail. */
  audit(): string[] {
    const read = this.log.read("crit", { epoch: 0, sequence: 0 }, 500);
    return (read.ok ? read.value : []).map(({ type, payload }) => {
      const decoded = decodePayload(type, payload);
      return decoded.ok ? `${decoded.value["action"]} ${decoded.value["outcome"]} ${decoded.value["detail"]}` : type;
    });
  }
}

describe("commands: carried out", () => {
  test("command: signed by a key of the fleet, carried out, audited, answered on the response topic with the correlation data", async () => {
    const rig = new Rig();
    const answer = await rig.send(signCommand(operator, rig.command({ verb: "logLevel", args: { level: "debug" } })), "logLevel");
    expect(answer).toMatchObject({ status: "done", did: "logLevel", verb: "logLevel", node: "box-1" });
    expect(rig.outlet.published[0]).toMatchObject({ topic: ANSWERS, qos: 1, isRetained: false, correlationData: utf8("c1") });
    expect(rig.done).toEqual(['logLevel {"level":"debug"}']);
    expect(rig.audit()).toEqual([expect.stringMatching(/^command\.logLevel allowed \{"id":"00000001.*"args":\{"level":"debug"\}\}$/)]);
  });

  test("command: each verb with each role, those below the verb's are refused", async () => {
    const rig = new Rig();
    const outcomes: string[] = [];
    for (const verb of ["ping", "report", "rebirth", "logLevel", "restart", "stop"]) {
      for (const [role, signer] of Object.entries({ viewer, operator, admin })) {
        rig.bench.time.pass(1_000);
        const answer = await rig.send(signCommand(signer, rig.command({ verb })), verb);
        if (answer?.["status"] === "done") outcomes.push(`${verb} ${role}`);
        else expect(answer).toMatchObject({ status: "refused", code: "notAuthorized" });
      }
    }
    expect(outcomes).toEqual([
      ...["ping", "report"].flatMap((verb) => [`${verb} viewer`, `${verb} operator`, `${verb} admin`]),
      ...["rebirth", "logLevel"].flatMap((verb) => [`${verb} operator`, `${verb} admin`]),
      "restart admin",
      "stop admin",
    ]);
  });
});

describe("commands: refused", () => {
  const cases: [string, (rig: Rig) => Uint8Array, string][] = [
    ["a key that is not of the fleet", (rig) => signCommand(stranger, rig.command()), "unknownKey"],
    ["another network's", (rig) => signCommand(admin, rig.command({ chainId: sha256(utf8("another")) })), "wrongNode"],
    ["another node's", (rig) => signCommand(admin, rig.command({ node: "box-2" })), "wrongNode"],
    ["another verb's topic", (rig) => signCommand(admin, rig.command({ verb: "stop" })), "wrongVerb"],
    ["its time is over", (rig) => signCommand(admin, rig.command({ issuedAtMs: rig.bench.time.nowMs() - 90_001 })), "expired"],
    ["from the future", (rig) => signCommand(admin, rig.command({ issuedAtMs: rig.bench.time.nowMs() + 30_001 })), "notYetValid"],
    ["before this node remembers", (rig) => signCommand(admin, rig.command({ issuedAtMs: rig.bench.time.nowMs() - 20_000 })), "expired"],
    ["no COSE at all", () => utf8("ping"), "malformed"],
    [
      "a signature for another purpose",
      (rig) => signCoseSign1(admin, DOMAIN_TAGS.transaction, encodeCommand({ ...rig.command(), key: admin.publicKey })),
      "badSignature",
    ],
    [
      "a key that did not sign it",
      (rig) => signCoseSign1(stranger, DOMAIN_TAGS.fleetCommand, encodeCommand({ ...rig.command(), key: admin.publicKey })),
      "badSignature",
    ],
  ];
  for (const [name, make, code] of cases) {
    test(`command: ${name}, ${code}, nothing is done and the refusal is audited`, async () => {
      const rig = new Rig();
      if (code === "expired") rig.bench.time.pass(10_000);
      expect(await rig.send(make(rig))).toMatchObject({ status: "refused", code });
      expect(rig.done).toEqual([]);
      expect(rig.audit()).toEqual([expect.stringMatching(new RegExp(`refused ${code}$`))]);
    });
  }

  test("command: shown twice, also across a restart, replayed", async () => {
    const rig = new Rig();
    const bytes = signCommand(admin, rig.command());
    expect(await rig.send(bytes)).toMatchObject({ status: "done" });
    expect(await rig.send(bytes)).toMatchObject({ status: "refused", code: "replayed" });
    rig.restart();
    rig.bench.time.pass(89_000);
    expect(await rig.send(bytes)).toMatchObject({ status: "refused", code: "replayed" });
    rig.bench.time.pass(2_000);
    expect(await rig.send(bytes)).toMatchObject({ status: "refused", code: "expired" });
    expect(rig.done.length).toBe(1);
  });

  test("command: every bit of one flipped in turn, none is carried out", async () => {
    const rig = new Rig();
    const bytes = signCommand(admin, rig.command());
    for (let i = 0; i < bytes.length; i++) {
      const changed = bytes.slice();
      changed[i] = (changed[i] ?? 0) ^ (1 << (i % 8));
      expect(openCommand(changed, nativeSuite).ok).toBe(false);
    }
    rig.bench.time.pass(1_000);
    expect(await rig.send(bytes)).toMatchObject({ status: "done" });
  });

  test("command: a verb that this release does not know, unknownVerb", async () => {
    const rig = new Rig();
    expect(await rig.send(signCommand(admin, rig.command({ verb: "selfDestruct" })), "selfDestruct")).toMatchObject({
      code: "unknownVerb",
    });
  });

  test("command: a flood of forgeries in one second, at most a hundred are judged and sixty a minute audited", async () => {
    const rig = new Rig();
    for (let i = 0; i < 500; i++) await rig.send(utf8(`x${i}`));
    expect(rig.outlet.published.length).toBe(100);
    expect(rig.audit().length).toBe(60);
    rig.bench.time.pass(1_000);
    expect(await rig.send(signCommand(admin, rig.command()))).toMatchObject({ status: "done" });
  });
});

describe("commands: where answers may go", () => {
  test("answers: none to a topic that means something when this node publishes there", async () => {
    for (const topic of [
      "spBv1.0/a/NCMD/b",
      "homeassistant/x",
      "$SYS/x",
      "bizra/v1/0123abcd/tx/d/submit",
      "bizra/v1/0123abcd/node/x/status",
      "a/+",
      "a/#",
      "",
    ])
      expect({ topic, may: isAnswerTopic(topic) }).toEqual({ topic, may: false });
    for (const topic of [ANSWERS, "answers/7"]) expect(isAnswerTopic(topic)).toBe(true);
    const rig = new Rig();
    expect(await rig.send(signCommand(admin, rig.command()), "ping", "spBv1.0/plant/NBIRTH/box-1")).toBeUndefined();
    expect(rig.done.length).toBe(1);
  });
});

describe("commands: the encoding", () => {
  test("encoding: what is encoded decodes to the same, in one form alone", () => {
    const command: Command = { ...new Rig().command({ verb: "logLevel", args: { level: "warn", a: "1" } }), key: admin.publicKey };
    const bytes = encodeCommand(command);
    const decoded = decodeCommand(bytes);
    expect(decoded).toEqual(ok(command));
    expect(decoded.ok && encodeCommand(decoded.value)).toEqual(bytes);
    expect(decodeCommand(Uint8Array.of(...bytes, 0)).ok).toBe(false);
  });
});
