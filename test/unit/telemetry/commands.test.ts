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
  /** How far the wall clock has been set ahead. */
  aheadMs = 0;
  /** Signatures checked. */
  checks = 0;
  #nextId = 0;

  constructor() {
    this.restart();
  }

  nowMs(): number {
    return this.bench.time.nowMs() + this.aheadMs;
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
      suite: {
        ...nativeSuite,
        verify: (...words) => {
          this.checks++;
          return nativeSuite.verify(...words);
        },
      },
      homeAssistantPrefix: "ha",
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
      clock: { nowMs: () => this.nowMs(), monotonicMs: () => this.bench.time.monotonicMs() },
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
      issuedAtMs: this.nowMs(),
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

  test("command: issued while the clock was ahead and shown again after it was set back, replayed", async () => {
    const rig = new Rig();
    const bytes = signCommand(admin, rig.command());
    const begunAtMs = rig.bench.time.nowMs();
    expect(await rig.send(bytes)).toMatchObject({ status: "done" });
    rig.bench.time.pass(600_000);
    expect(await rig.send(signCommand(admin, rig.command()))).toMatchObject({ status: "done" }); // the first id is forgotten now
    for (const again of [() => {}, () => rig.restart()]) {
      again();
      rig.aheadMs = begunAtMs + 5_000 - rig.bench.time.nowMs();
      expect(await rig.send(bytes)).toMatchObject({ status: "refused", code: "replayed" });
    }
    expect(rig.done.length).toBe(2);
  });

  test("command: the first start was with a clock far ahead, taken once the clock is right", async () => {
    const rig = new Rig();
    rig.aheadMs = -31_536_000_000;
    expect(await rig.send(signCommand(admin, rig.command()))).toMatchObject({ status: "done" });
  });
});

describe("commands: floods", () => {
  const forged = (rig: Rig, claimed: Uint8Array, change: Partial<Command> = {}): Uint8Array =>
    signCoseSign1(stranger, DOMAIN_TAGS.fleetCommand, encodeCommand({ ...rig.command(change), key: claimed }));
  const floods: [string, (rig: Rig, i: number) => Uint8Array][] = [
    ["no COSE", (_, i) => utf8(`x${i}`)],
    ["signed by a stranger", (rig) => signCommand(stranger, rig.command())],
    ["for another node", (rig) => forged(rig, admin.publicKey, { node: "box-2" })],
    ["forged in the name of another key of the fleet", (rig) => forged(rig, viewer.publicKey)],
  ];
  for (const [name, make] of floods) {
    test(`flood: 500 in a second, ${name}, a signed command of that second is heard`, async () => {
      const rig = new Rig();
      for (let i = 0; i < 500; i++) await rig.send(make(rig, i));
      expect(rig.outlet.published.length).toBe(10);
      expect(rig.audit().length).toBe(10);
      expect(await rig.send(signCommand(admin, rig.command()))).toMatchObject({ status: "done" });
      rig.bench.time.pass(60_000);
      expect(await rig.send(make(rig, 501))).toMatchObject({ status: "refused" }); // told and audited again
      expect(rig.audit().length).toBe(12);
    });
  }

  test("flood: forged in the name of one key, a hundred signatures a second are checked", async () => {
    const rig = new Rig();
    for (let i = 0; i < 500; i++) await rig.send(forged(rig, admin.publicKey));
    expect(rig.checks).toBe(100);
    rig.bench.time.pass(1_000);
    expect(await rig.send(signCommand(admin, rig.command()))).toMatchObject({ status: "done" });
  });

  test("flood: commands of one key of the fleet, sixty a minute are carried out and audited, other keys are heard", async () => {
    const rig = new Rig();
    for (let i = 0; i < 90; i++) await rig.send(signCommand(viewer, rig.command()));
    expect(rig.done.length).toBe(60);
    expect(rig.audit().length).toBe(60);
    expect(await rig.send(signCommand(viewer, rig.command()))).toMatchObject({ code: "busy" });
    expect(await rig.send(signCommand(admin, rig.command()))).toMatchObject({ status: "done" });
    rig.bench.time.pass(60_000);
    expect(await rig.send(signCommand(viewer, rig.command()))).toMatchObject({ status: "done" });
  });

  test("flood: one command shown again and again, its key's commands are carried out all the same", async () => {
    const rig = new Rig();
    const bytes = signCommand(admin, rig.command());
    for (let i = 0; i < 90; i++) await rig.send(bytes);
    expect(rig.audit().length).toBe(11);
    expect(await rig.send(signCommand(admin, rig.command()))).toMatchObject({ status: "done" });
  });

  test("command: 4 KiB of nested arrays, a megabyte, and more arguments than allowed, malformed", async () => {
    const rig = new Rig();
    const nested = new Uint8Array(4_096).fill(0x81);
    const args = Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`a${String.fromCharCode(97 + i)}`, ""]));
    for (const payload of [nested, new Uint8Array(1_048_576), signCommand(admin, rig.command({ args })), new Uint8Array(0)])
      expect(await rig.send(payload)).toMatchObject({ status: "refused", code: "malformed" });
  });
});

describe("commands: where answers may go", () => {
  test("answers: none to a topic that means something when this node publishes there", async () => {
    const sender = { network: NODE.network, homeAssistantPrefix: "ha", isProven: true };
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
      expect({ topic, may: isAnswerTopic(topic, sender) }).toEqual({ topic, may: false });
    for (const topic of [ANSWERS, "answers/7"]) expect(isAnswerTopic(topic, sender)).toBe(true);
    for (const topic of ["ha/device/x/config", "bizra/v1/89abcdef/fleet/ops/a"]) expect(isAnswerTopic(topic, sender)).toBe(false);
    const rig = new Rig();
    expect(await rig.send(signCommand(admin, rig.command()), "ping", "spBv1.0/plant/NBIRTH/box-1")).toBeUndefined();
    expect(rig.done.length).toBe(1);
  });

  test("answers: Home Assistant's topics, whatever its prefix, and for strangers and repeats all but the fleet's, none", async () => {
    const rig = new Rig();
    expect(await rig.send(signCommand(admin, rig.command()), "ping", "ha/device/x/config")).toBeUndefined();
    const bytes = signCommand(admin, rig.command());
    expect(await rig.send(bytes, "ping", "answers/7")).toMatchObject({ status: "done" });
    expect(await rig.send(bytes, "ping", "answers/7")).toBeUndefined();
    expect(await rig.send(utf8("x"), "ping", "answers/7")).toBeUndefined();
    expect(await rig.send(signCommand(stranger, rig.command()), "ping", "bizra/v1/89abcdef/fleet/ops/a")).toBeUndefined();
    expect(await rig.send(bytes)).toMatchObject({ code: "replayed" });
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
