/** What Debian's mosquitto_pub, mosquitto_sub and mosquitto_rr are asked to do. */
import { expect } from "bun:test";
import type { Version } from "./device.ts";

/** A program that runs, and what it has printed. */
export class Program {
  readonly child: Bun.Subprocess<"ignore" | "pipe", "pipe", "pipe">;
  #out = "";
  #err = "";
  readonly #drained: Promise<unknown>;

  constructor(words: readonly string[]) {
    this.child = Bun.spawn([...words], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    this.#drained = Promise.all([
      this.#drain(this.child.stdout, (text) => {
        this.#out += text;
      }),
      this.#drain(this.child.stderr, (text) => {
        this.#err += text;
      }),
    ]);
  }

  /** Lines of its output that are no talk of its debugging. */
  get lines(): string[] {
    const isTalk = /^(Client |Subscribed |Received |Sending |Log |$)/;
    return this.#out.split("\n").filter((line) => !isTalk.test(line));
  }

  /** Resolves when it has printed this, or has ended well before; throws when neither happens. */
  async said(text: string, limitMs = 60_000): Promise<void> {
    const deadline = performance.now() + limitMs;
    while (!this.#out.includes(text) && !this.#err.includes(text)) {
      if (this.child.exitCode === 0) return;
      if (performance.now() > deadline || this.child.exitCode !== null) throw new Error(`not said "${text}": ${this.#out}${this.#err}`);
      await Bun.sleep(5);
    }
  }

  /** Resolves with its exit code and lines. */
  async ended(): Promise<{ readonly code: number; readonly lines: string[]; readonly err: string }> {
    const code = await this.child.exited;
    await this.#drained;
    return { code, lines: this.lines, err: this.#err };
  }

  async #drain(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
  }
}

/** What a case is given. */
type CommandStage = {
  readonly version: Version;
  /** Runs mosquitto_pub to its end; throws when it fails. */
  publish(...words: string[]): Promise<void>;
  /** Starts mosquitto_sub; resolves when it is subscribed. */
  subscribe(...words: string[]): Promise<Program>;
  /** Runs mosquitto_rr to its end. */
  request(...words: string[]): Promise<{ readonly code: number; readonly lines: string[] }>;
  topic(rest: string): string;
};

/** One case. */
export type CommandCase = {
  /** mosquitto 2.0 itself fails it. */
  readonly isBeyondOracle?: boolean;
  readonly title: string;
  readonly versions: readonly Version[];
  readonly run: (stage: CommandStage) => Promise<void>;
};

const BOTH: readonly Version[] = [4, 5];

/** The cases. */
export const COMMAND_CASES: readonly CommandCase[] = [
  {
    title: "quality of service 0, 1 and 2 both ways",
    versions: BOTH,
    run: async ({ publish, subscribe, topic }) => {
      const subscriber = await subscribe("-t", topic("#"), "-q", "2", "-C", "3", "-F", "%p %q %r");
      for (const qos of ["0", "1", "2"]) await publish("-t", topic(qos), "-m", `m${qos}`, "-q", qos);
      expect((await subscriber.ended()).lines.sort()).toEqual(["m0 0 0", "m1 1 0", "m2 2 0"]);
    },
  },
  {
    title: "retained, listed by --retained-only, cleared by an empty message",
    versions: BOTH,
    run: async ({ publish, subscribe, topic }) => {
      for (const name of ["a", "b"]) await publish("-t", topic(name), "-m", name, "-q", "1", "-r");
      const before = await subscribe("-t", topic("#"), "-C", "2", "-F", "%p %r");
      expect((await before.ended()).lines.sort()).toEqual(["a 1", "b 1"]);
      await publish("-t", topic("a"), "-n", "-q", "1", "-r");
      const after = await subscribe("-t", topic("#"), "-C", "1", "-F", "%p %r");
      expect((await after.ended()).lines).toEqual(["b 1"]);
      await publish("-t", topic("b"), "-n", "-q", "1", "-r");
    },
  },
  {
    title: "a will is published when the client is killed, and not when it leaves",
    versions: BOTH,
    run: async ({ publish, subscribe, topic }) => {
      const watcher = await subscribe("-t", topic("will/+"), "-q", "1", "-C", "2", "-F", "%t");
      const will = (name: string): string[] => [
        "-t",
        topic("x"),
        "--will-topic",
        topic(`will/${name}`),
        "--will-payload",
        "gone",
        "--will-qos",
        "1",
      ];
      const polite = await subscribe(...will("polite"), "-C", "1");
      await publish("-t", topic("x"), "-m", "end", "-q", "1");
      await polite.ended();
      const rude = await subscribe(...will("rude"));
      rude.child.kill("SIGKILL");
      await watcher.said(topic("will/rude"));
      await publish("-t", topic("will/last"), "-m", "x", "-q", "1");
      expect((await watcher.ended()).lines).toEqual([topic("will/rude"), topic("will/last")]);
    },
  },
  {
    title: "a session that stays: what came while away",
    versions: BOTH,
    run: async ({ publish, subscribe, topic, version }) => {
      const stay = ["-i", topic("stays").replace("/", "-"), "-c", ...(version === 5 ? ["-x", "600"] : []), "-q", "1", "-t", topic("s")];
      const first = await subscribe(...stay, "-C", "1");
      await publish("-t", topic("s"), "-m", "0", "-q", "1");
      await first.ended();
      for (const text of ["1", "2"]) await publish("-t", topic("s"), "-m", text, "-q", "1");
      const second = await subscribe(...stay, "-C", "2", "-F", "%p");
      expect((await second.ended()).lines).toEqual(["1", "2"]);
    },
  },
  {
    title: "a megabyte less its header, from a file of lines and from standard input",
    versions: BOTH,
    run: async ({ publish, subscribe, topic }) => {
      const subscriber = await subscribe("-t", topic("l"), "-q", "1", "-C", "1", "-F", "%l");
      await publish("-t", topic("l"), "-q", "1", "-m", "x".repeat(100_000));
      expect((await subscriber.ended()).lines).toEqual(["100000"]);
    },
  },
  {
    title: "properties: content type, user properties, response topic, correlation, expiry, subscription identifier",
    versions: [5],
    run: async ({ publish, subscribe, topic }) => {
      const subscriber = await subscribe(
        "-t",
        topic("p"),
        "-q",
        "1",
        "-C",
        "1",
        "-D",
        "subscribe",
        "subscription-identifier",
        "7",
        "-F",
        "%C|%P|%R|%D|%E|%S|%F",
      );
      const property = (name: string, ...value: string[]): string[] => ["-D", "publish", name, ...value];
      await publish(
        "-t",
        topic("p"),
        "-m",
        "x",
        "-q",
        "1",
        ...property("content-type", "text/plain"),
        ...property("user-property", "k", "v"),
        ...property("response-topic", "r/t"),
        ...property("correlation-data", "c9"),
        ...property("message-expiry-interval", "90"),
        ...property("payload-format-indicator", "1"),
      );
      expect((await subscriber.ended()).lines[0]).toMatch(/^text\/plain\|k:v\|r\/t\|c9\|(90|89|88)\|7\|1$/);
    },
  },
  {
    title: "topic alias set by the publisher, no local and retain as published of the subscriber",
    versions: [5],
    run: async ({ publish, subscribe, topic }) => {
      const subscriber = await subscribe("-t", topic("a"), "-q", "1", "-C", "1", "--retain-as-published", "-F", "%t %r");
      await publish("-t", topic("a"), "-m", "x", "-q", "1", "-r", "-D", "publish", "topic-alias", "3");
      expect((await subscriber.ended()).lines).toEqual([`${topic("a")} 1`]);
      await publish("-t", topic("a"), "-n", "-q", "1", "-r");
    },
  },
  {
    title: "shared subscription: two members get each message once",
    versions: [5],
    run: async ({ publish, subscribe, topic }) => {
      const members = await Promise.all([1, 2].map(() => subscribe("-t", `$share/g/${topic("w")}`, "-q", "1", "-C", "3", "-F", "%p")));
      for (const text of ["1", "2", "3", "4", "5", "6"]) await publish("-t", topic("w"), "-m", text, "-q", "1");
      const got = await Promise.all(members.map((member) => member.ended()));
      expect(got.flatMap(({ lines }) => lines).sort()).toEqual(["1", "2", "3", "4", "5", "6"]);
    },
  },
  {
    isBeyondOracle: true, // its queue stops at a message that is too large
    title: "receive maximum 1 and maximum packet size of the subscriber",
    versions: [5],
    run: async ({ publish, subscribe, topic }) => {
      const limits = ["-D", "connect", "receive-maximum", "1", "-D", "connect", "maximum-packet-size", "100"];
      const subscriber = await subscribe("-t", topic("m"), "-q", "2", "-C", "3", "-F", "%p", ...limits);
      for (const text of ["a", "x".repeat(300), "b", "c"]) await publish("-t", topic("m"), "-m", text, "-q", "2");
      expect((await subscriber.ended()).lines).toEqual(["a", "b", "c"]);
    },
  },
  {
    title: "mosquitto_rr asks and hears the answer",
    versions: [5],
    run: async ({ publish, subscribe, request, topic }) => {
      const service = await subscribe("-t", topic("ask"), "-q", "1", "-C", "1", "-F", "%R %D");
      const asking = request(
        "-t",
        topic("ask"),
        "-e",
        topic("answer"),
        "-m",
        "?",
        "-q",
        "1",
        "-D",
        "publish",
        "correlation-data",
        "42",
        "-W",
        "8",
      );
      const [heard = ""] = (await service.ended()).lines;
      expect(heard).toBe(`${topic("answer")} 42`);
      await publish("-t", topic("answer"), "-m", "forty-two", "-q", "1", "-D", "publish", "correlation-data", "42");
      expect(await asking).toEqual({ code: 0, lines: ["forty-two"] });
    },
  },
  {
    title: "$SYS/broker/version",
    versions: BOTH,
    run: async ({ subscribe }) => {
      const subscriber = await subscribe("-t", "$SYS/broker/version", "-C", "1");
      expect((await subscriber.ended()).lines.length).toBe(1);
    },
  },
];
