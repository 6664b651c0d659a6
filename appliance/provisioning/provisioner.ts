import { join } from "node:path";
import { sha256 } from "../../src/crypto/index.ts";
import { assert, type CancelTimer, err, ok, type Result, toHex } from "../../src/kernel/index.ts";
import { makeAdminCode } from "./admin-code.ts";
import { DOCUMENT_BYTES_MAX, type ProvisionDocument, parseProvision } from "./document.ts";
import { attempt, type EnrolmentOutcome, type ProvisioningPlatform } from "./platform.ts";
import { encodeProgress, FACTORY, type Progress, type PublicKeys, parseProgress } from "./progress.ts";
import { type Effect, nextEffect, type Outcome, progressAfter, progressAfterCode, type Seen, type SeenFile } from "./state-table.ts";
import { describeProgress, renderStatus, type StatusFacts } from "./status-text.ts";
import { systemFilesOf } from "./system-files.ts";

/** Names on the medium. */
export const MEDIUM = {
  document: "provision.json",
  /** What is left of a file that was taken: without its token. */
  retired: "provision.done.json",
  /** What may hold a token still: a file that was taken, and one that was being brought when the power failed. */
  leftovers: ["provision.old", "provision.json.new"],
  status: "status.txt",
  genesis: "genesis.json",
  /** Files that ask for a new code. */
  codeRequests: ["new-code.txt", "new-code"],
  /** Names under which editors and Windows save what should be provision.json. */
  lookalikes: ["provision.json.txt", "provision.txt", "provision.json.json", "provision"],
} as const;

const LOOK_EVERY_MS = 2_000;
/** More steps than the table has rows in a row mean that it runs in a circle. */
const STEPS_MAX = 32;
const GENESIS_BYTES_MAX = 16 * 1024 * 1024;

/** Where a box stands, for whoever asks. */
export type ProvisioningStatus = {
  readonly state: Progress["state"];
  /** Sentences for people, the most urgent first. */
  readonly sentences: readonly string[];
  readonly keys: PublicKeys | undefined;
  /** The plan in force, without its token. */
  readonly plan: Omit<ProvisionDocument, "token"> | undefined;
};

type RunningEnrolment = { readonly hash: string; readonly abandon: () => void; outcome?: EnrolmentOutcome };

/**
 * Takes a box from the factory to its place in a network, by the state table: looks, does the next thing, keeps how far
 * it came, and looks again. Whatever instant the power fails at, the next start goes on from there.
 */
export class Provisioner {
  readonly #platform: ProvisioningPlatform;
  #progress: Progress;
  #seen: Seen = { file: { kind: "absent" }, hasLeftover: false, wantsCode: false, hasPassword: false, isStandingStill: false };
  #judged: { readonly key: string; readonly file: SeenFile } | undefined;
  #enrolment: RunningEnrolment | undefined;
  #remark: string | undefined;
  #trouble: string | undefined;
  #turn: Promise<void> = Promise.resolve();
  #cancel: CancelTimer = () => {};
  #isStopped = false;

  /** Reads how far the box came; a damaged record means the beginning, where keys that are there stay. */
  constructor(platform: ProvisioningPlatform) {
    this.#platform = platform;
    const kept = platform.files.read(platform.paths.record, DOCUMENT_BYTES_MAX * 2);
    const progress = kept && parseProgress(new TextDecoder().decode(kept));
    if (kept && !progress) platform.log.error("provisioning.recordDamaged", { file: platform.paths.record });
    this.#progress = progress ?? FACTORY;
  }

  /** Looks now and every few seconds until `stop`. */
  start(onDefect: (error: unknown) => void): void {
    if (this.#isStopped) return;
    void this.look().catch(onDefect);
    this.#cancel = this.#platform.timers.after(LOOK_EVERY_MS, () => this.start(onDefect));
  }

  /** Looks no more; resolves when a look under way has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel();
    this.#enrolment?.abandon();
    await this.#turn;
  }

  /** Looks at the box and does what there is to do; resolves when there is nothing more, or something must be waited for. */
  look(): Promise<void> {
    const turn = this.#turn.then(() => (this.#isStopped ? undefined : this.#work()));
    this.#turn = turn.catch(() => {}); // whoever asked for this look hears of it; the next one begins anew
    return turn;
  }

  /** Looks and does nothing. */
  glance(): void {
    const seen = attempt(() => this.#see());
    if (seen.ok) this.#seen = seen.value;
    else this.#trouble = seen.error;
  }

  /** Where the box stands, as of the last look. */
  get status(): ProvisioningStatus {
    const { state, plan } = this.#progress;
    const { token: _token, ...shown } = plan ?? { token: undefined };
    return {
      state,
      sentences: describeProgress(this.#progress, this.#seen, this.#facts()),
      keys: this.#platform.node.publicKeys(),
      plan: plan && "hostname" in shown ? shown : undefined,
    };
  }

  /** The console's one-time code; undefined while there is none. */
  get adminCode(): string | undefined {
    return this.#progress.adminCode || undefined;
  }

  /** The code has let somebody in: it lets in nobody any more, durably, when this returns. */
  useCode(): void {
    this.#save(progressAfterCode(this.#progress));
    this.#writeStatus();
  }

  /**
   * Puts a plan on the medium, as if somebody had brought it there, when it has no mistake.
   *
   * @returns what is wrong with it, as sentences; then nothing was changed
   */
  propose(text: string): Result<void, readonly string[]> {
    const { standstill } = this.#platform.conditions();
    if (standstill !== undefined) return err([standstill]);
    const file = this.#judge(new TextEncoder().encode(text));
    if (file.kind !== "good") return err(file.kind === "faulty" ? file.faults : []);
    const { files, paths } = this.#platform;
    const written = attempt(() => files.replace(join(paths.medium, MEDIUM.document), text, 0o600));
    return written.ok ? ok(undefined) : err([`provision.json could not be written: ${written.error}.`]);
  }

  /** A factory reset, by another process, takes the record away: what this one remembers of it is no longer so. */
  #forget(): void {
    const { files, paths, log, onForgotten } = this.#platform;
    const kept = attempt(() => files.read(paths.record, 0));
    if (this.#progress === FACTORY || !kept.ok || kept.value !== undefined) return;
    log.warn("provisioning.forgotten", { state: this.#progress.state });
    this.#abandonEnrolment();
    this.#progress = FACTORY;
    this.#judged = undefined;
    this.#trouble = undefined;
    onForgotten?.();
  }

  async #work(): Promise<void> {
    for (let steps = 0; ; steps++) {
      assert(steps < STEPS_MAX, "a box comes to rest after a few steps");
      if (this.#platform.conditions().isBeingReset) return; // whatever is written now may be removed, or outlive the reset
      this.#forget();
      const seen = attempt(() => this.#see());
      if (!seen.ok) return this.#onTrouble(seen.error);
      this.#seen = seen.value;
      const effect = nextEffect(this.#progress, seen.value);
      if (effect?.kind !== "enrol" || effect.hash !== this.#enrolment?.hash) this.#abandonEnrolment();
      if (!effect) break;
      const outcome = effect.kind === "enrol" ? this.#enrolmentOutcome(effect) : await this.#perform(effect);
      if (outcome === "waiting") break;
      if (outcome === "failed") return;
      this.#save(progressAfter(this.#progress, effect, outcome));
      this.#trouble = undefined;
    }
    this.#writeStatus();
  }

  #see(): Seen {
    const { files, node, paths } = this.#platform;
    const at = (name: string): string => join(paths.medium, name);
    const bytes = files.read(at(MEDIUM.document), DOCUMENT_BYTES_MAX);
    return {
      file: bytes === undefined ? { kind: "absent" } : this.#judge(bytes),
      hasLeftover: MEDIUM.leftovers.some((name) => files.read(at(name), 0) !== undefined),
      wantsCode: MEDIUM.codeRequests.some((name) => files.read(at(name), 0) !== undefined),
      hasPassword: node.hasPassword(),
      isStandingStill: this.#platform.conditions().standstill !== undefined,
    };
  }

  /** Judges a plan with the chain that it names; the same bytes beside the same genesis are judged once. */
  #judge(bytes: Uint8Array): SeenFile {
    const hash = toHex(sha256(bytes));
    const genesis = this.#genesisText();
    const key = `${hash}/${genesis === undefined ? "" : toHex(sha256(new TextEncoder().encode(genesis)))}/${this.#progress.state}`;
    if (this.#judged?.key === key) return this.#judged.file;
    const parsed = parseProvision(bytes, this.#platform.node.enrolledAt());
    const faults = parsed.ok ? this.#platform.node.checkChain(parsed.value, genesis) : parsed.error;
    const file: SeenFile =
      parsed.ok && faults.length === 0 ? { kind: "good", hash, document: parsed.value } : { kind: "faulty", hash, faults };
    this.#judged = { key, file };
    return file;
  }

  #genesisText(): string | undefined {
    const { files, paths } = this.#platform;
    const bytes = files.read(join(paths.medium, MEDIUM.genesis), GENESIS_BYTES_MAX);
    return bytes && new TextDecoder().decode(bytes);
  }

  async #perform(effect: Exclude<Effect, { kind: "enrol" }>): Promise<Outcome | "failed"> {
    try {
      return await this.#act(effect);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && typeof error.code === "string")) throw error;
      this.#onTrouble(error.message); // the disk or the card: tried again at the next look
      return "failed";
    }
  }

  async #act(effect: Exclude<Effect, { kind: "enrol" }>): Promise<Outcome> {
    const { files, node, paths, entropy, log } = this.#platform;
    const at = (name: string): string => join(paths.medium, name);
    switch (effect.kind) {
      case "makeKeys":
        log.info("provisioning.keyed", { node: (await node.makeKeys()).node });
        break;
      case "makeCode":
        return { kind: "code", code: makeAdminCode(entropy) };
      case "removeCodeRequest":
        for (const name of MEDIUM.codeRequests) files.remove(at(name));
        break;
      case "accept":
        log.info("provisioning.accepted", { hostname: effect.document.hostname, file: effect.hash });
        break;
      case "apply":
        node.apply(effect.plan, this.#genesisText());
        for (const [path, text] of Object.entries(systemFilesOf(effect.plan))) {
          if (text === undefined) files.remove(join(paths.system, path));
          else files.replace(join(paths.system, path), text, 0o644);
        }
        break;
      case "retireFile":
        files.replace(at(MEDIUM.retired), `${JSON.stringify(effect.plan, null, 2)}\n`.replaceAll("\n", "\r\n"), 0o600);
        files.rename(at(MEDIUM.document), at(MEDIUM.leftovers[0])); // so that one half wiped is nobody's plan
        break;
      case "wipeLeftover":
        for (const name of MEDIUM.leftovers) {
          files.blank(at(name));
          files.remove(at(name));
        }
        break;
      case "finish":
        log.info("provisioning.ready", { hostname: this.#progress.plan?.hostname });
        break;
      case "skipEnrolment":
      case "endCodeRequest":
        break;
    }
    return { kind: "done" };
  }

  /** Begins to enrol, or gives what came of it. */
  #enrolmentOutcome({ plan, hash }: Extract<Effect, { kind: "enrol" }>): Outcome | "waiting" {
    if (this.#enrolment) return this.#enrolment.outcome ?? "waiting";
    const { node, log } = this.#platform;
    const abandonment = new AbortController();
    const enrolment: RunningEnrolment = { hash, abandon: () => abandonment.abort() };
    this.#enrolment = enrolment;
    const onRemark = (sentence: string): void => {
      if (this.#enrolment !== enrolment) return;
      this.#remark = sentence;
      this.#writeStatus();
    };
    void node.enrol(plan, abandonment.signal, onRemark).then(
      (outcome) => {
        enrolment.outcome = outcome;
        log.info("provisioning.enrolmentEnded", { outcome: outcome.kind });
        void this.look().catch((error: unknown) => log.error("provisioning.failed", { error: String(error) }));
      },
      (error: unknown) => {
        if (this.#enrolment === enrolment) this.#enrolment = undefined; // begun again at the next look
        this.#onTrouble(error instanceof Error ? error.message : String(error));
      },
    );
    return "waiting";
  }

  #abandonEnrolment(): void {
    this.#enrolment?.abandon();
    this.#enrolment = undefined;
    this.#remark = undefined;
  }

  #save(progress: Progress): void {
    this.#platform.files.replace(this.#platform.paths.record, encodeProgress(progress), 0o600);
    this.#progress = progress;
  }

  #onTrouble(sentence: string): void {
    this.#trouble = sentence;
    this.#platform.log.error("provisioning.trouble", { detail: sentence });
    this.#writeStatus();
  }

  #facts(): StatusFacts {
    const { files, node, paths, consoleUrls, conditions } = this.#platform;
    const found = attempt(() => MEDIUM.lookalikes.find((name) => files.read(join(paths.medium, name), 0) !== undefined));
    const lookalike = this.#seen.file.kind === "absent" && found.ok ? found.value : undefined;
    return {
      keys: node.publicKeys(),
      consoleUrls: consoleUrls(),
      remark: this.#remark,
      lookalike,
      trouble: this.#trouble,
      conditions: conditions(),
    };
  }

  /** Writes status.txt when it would say something else: a card wears out, and may be write-protected or gone. */
  #writeStatus(): void {
    const { files, paths, log } = this.#platform;
    const path = join(paths.medium, MEDIUM.status);
    const text = renderStatus(this.#progress, this.#seen, this.#facts());
    const written = attempt(() => {
      if (!files.hasFolder(paths.medium)) return;
      const before = files.read(path, DOCUMENT_BYTES_MAX);
      if (before === undefined || new TextDecoder().decode(before) !== text) files.replace(path, text, 0o600);
    });
    if (!written.ok) log.warn("provisioning.statusNotWritten", { detail: written.error });
  }
}
