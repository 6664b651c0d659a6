import { consoleApplication } from "../../../../appliance/console/application.ts";
import { type AdminBook, type BoxDesk, type BoxNetwork, type BoxView, LocalAccess } from "../../../../appliance/console/index.ts";
import { err, type Log, ok, type Result, silentLog } from "../../../../src/kernel/index.ts";
import { ManualTime } from "../../events/event-fixture.ts";

/** A book in memory; its code is renewed as provisioning does. */
export class MemoryBook implements AdminBook {
  #code: string | undefined = "K7QM-3XVD-9H2T";
  hash: string | undefined;

  code(): string | undefined {
    return this.#code;
  }

  useCode(): void {
    this.#code = undefined;
  }

  passwordHash(): string | undefined {
    return this.hash;
  }

  setPasswordHash(hash: string): void {
    this.hash = hash;
  }
}

/** A box that remembers what it was told. */
export class MemoryDesk implements BoxDesk {
  readonly told: unknown[] = [];
  hidden: readonly string[] = [];
  files: Readonly<Record<string, string>> = { "a.txt": "a" };

  glance() {
    const claim = { node: "00".repeat(8), identity: "00".repeat(32), fingerprint: "0000-0000", genesis: undefined };
    return { name: "mill-7", state: "ready", isWell: true, claim };
  }

  async view(): Promise<BoxView> {
    return {
      version: "1",
      findings: [],
      sentences: [],
      node: [],
      hardware: [],
      update: [],
      addresses: [],
      network: undefined,
      canChangeNetwork: true,
    };
  }

  async logs(): Promise<readonly string[]> {
    return ["a line"];
  }

  async supportFiles(): Promise<Readonly<Record<string, string>>> {
    return this.files;
  }

  propose(text: string): Result<void, readonly string[]> {
    this.told.push(text);
    return text === "{}" ? err(["hostname: expected one."]) : ok(undefined);
  }

  changeNetwork(network: BoxNetwork): Result<void, readonly string[]> {
    this.told.push(network);
    return ok(undefined);
  }

  async restartNode(): Promise<string | undefined> {
    this.told.push("restart");
    return undefined;
  }

  async reset(tier: "settings" | "everything", confirm: string): Promise<string | undefined> {
    this.told.push({ tier, confirm });
    return confirm === "reset" ? undefined : "Type the word.";
  }

  secrets(): readonly string[] {
    return this.hidden;
  }
}

/** A console under a clock that a test moves. */
export class ConsoleRig {
  readonly book = new MemoryBook();
  readonly desk = new MemoryDesk();
  readonly time = new ManualTime();
  readonly access: LocalAccess;
  readonly #application: ReturnType<typeof consoleApplication>;
  plans = 0;
  #drawn = 0;

  constructor(log: Log = silentLog) {
    this.access = new LocalAccess({
      book: this.book,
      clock: this.time,
      entropy: { bytes: (count) => new Uint8Array(count).fill(++this.#drawn) },
      normalCode: (typed) => typed.toUpperCase().replace(/[\s-]/g, ""),
    });
    this.#application = consoleApplication({
      desk: this.desk,
      access: this.access,
      clock: this.time,
      log,
      onPlan: () => {
        this.plans++;
      },
    });
  }

  /** Asks as a browser on the page does, with anything changed. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
    address = "192.0.2.1",
  ): Promise<Response> {
    const all = { host: "box:8080", ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers };
    const init = { method, headers: all, ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }) };
    return this.#application.fetch(new Request(`http://box:8080${path}`, init), { address });
  }

  /** Logs in; gives the headers that go with every request from then on. */
  async logIn(secret = "K7QM-3XVD-9H2T"): Promise<{ readonly cookie: string; readonly "x-csrf-token": string }> {
    const answer = await this.ask("POST", "/api/session", { secret });
    const { csrf } = (await answer.json()) as { csrf: string };
    return { cookie: (answer.headers.get("set-cookie") ?? "").split(";")[0] ?? "", "x-csrf-token": csrf };
  }
}
