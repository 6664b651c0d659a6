import { z } from "zod";
import { err, ok, type Result, type Timers } from "../../src/kernel/index.ts";
import { type Installer, InstallerFailed, type SlotsWord } from "./installer.ts";
import type { BundleWord, UpdateTrouble } from "./types.ts";

/** An answer of the program. */
type Said = { readonly code: number; readonly out: string; readonly err: string };

/** So long a question may take, in ms; an install is not bounded here, since a slow card is slow. */
const QUESTION_LIMIT_MS = 60_000;
/** An updater that is still at it, from before the main process was started anew, is asked again this often. */
const BUSY = { tries: 180, everyMs: 5_000 } as const;
/** Output of the program that is kept, in characters. */
const SAID_LENGTH_MAX = 65_536;

const bundleSchema = z.object({ compatible: z.string().min(1).max(200), version: z.string().min(1).max(100) });
const slotSchema = z.object({ state: z.string().optional(), boot_status: z.string().nullish(), bootname: z.string().nullish() });
const statusSchema = z.object({ slots: z.array(z.record(z.string(), slotSchema)) });

/** What the program's words on a refused bundle mean, in order; of RAUC 1.8 to 1.13. */
const REFUSALS: readonly (readonly [RegExp, UpdateTrouble["code"]])[] = [
  [/exceeds bundle size|invalid bundle format|no such file|not a valid bundle|too small/i, "truncated"],
  [
    /digest mismatch|digest_verify_final|content verify error|verification failure|wrong content|asn1|bad signature|signature failure/i,
    "tampered",
  ],
  [/signature verification failed|verify error|no signer|certificate/i, "foreignSignature"],
];

/**
 * RAUC by its command: `rauc` is the one that Debian ships, or a program of the same words around it.
 *
 * @see https://rauc.readthedocs.io/en/v1.13/using.html
 */
export class RaucInstaller implements Installer {
  readonly #words: readonly string[];
  readonly #timers: Timers;

  /** @param words the program, with options that go before its verbs, such as `--keyring=FILE` */
  constructor(words: readonly string[], timers: Timers) {
    this.#words = words;
    this.#timers = timers;
  }

  async slots(): Promise<SlotsWord> {
    const said = await this.#ask(["status", "--output-format=json"]);
    const status = statusSchema.safeParse(jsonOf(said.out));
    if (said.code !== 0 || !status.success) throw new InstallerFailed(`rauc status: ${lastLineOf(said)}`);
    const slots = status.data.slots.flatMap((each) => Object.values(each)).filter(({ bootname }) => bootname);
    return { canGoBack: slots.some((slot) => slot.state !== "booted" && slot.boot_status === "good") };
  }

  async inspect(path: string): Promise<Result<BundleWord, UpdateTrouble>> {
    const said = await this.#ask(["info", "--output-format=json", path]);
    const bundle = bundleSchema.safeParse(jsonOf(said.out));
    if (said.code === 0 && bundle.success) return ok(bundle.data);
    if (said.code === 0) return err({ code: "malformed", detail: "the updater says neither version nor board of it" });
    return err(troubleOf(said, "foreignSignature"));
  }

  async peek(path: string): Promise<BundleWord | undefined> {
    const said = await this.#ask(["info", "--no-verify", "--output-format=json", path]);
    const bundle = bundleSchema.safeParse(jsonOf(said.out));
    return said.code === 0 && bundle.success ? bundle.data : undefined;
  }

  async install(path: string): Promise<Result<void, UpdateTrouble>> {
    for (let tries = 1; ; tries++) {
      const said = await run([...this.#words, "install", path]);
      if (said.code === 0) return ok(undefined);
      if (!/already processing/i.test(said.err) || tries >= BUSY.tries) return err(troubleOf(said, "installFailed"));
      await new Promise<void>((resolve) => void this.#timers.after(BUSY.everyMs, resolve));
    }
  }

  async commit(): Promise<void> {
    await this.#mark("mark-good", "booted");
  }

  async turnBack(): Promise<void> {
    // First what comes next, then what does not any more: in between both can be started.
    await this.#mark("mark-active", "other");
    await this.#mark("mark-bad", "booted");
  }

  async stay(): Promise<void> {
    await this.#mark("mark-active", "booted");
  }

  async #mark(verb: string, slot: string): Promise<void> {
    const said = await this.#ask(["status", verb, slot]);
    if (said.code !== 0) throw new InstallerFailed(`rauc status ${verb} ${slot}: ${lastLineOf(said)}`);
  }

  #ask(words: readonly string[]): Promise<Said> {
    return run([...this.#words, ...words], QUESTION_LIMIT_MS);
  }
}

async function run(words: readonly string[], limitMs?: number): Promise<Said> {
  try {
    const child = Bun.spawn([...words], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      ...(limitMs === undefined ? {} : { timeout: limitMs, killSignal: "SIGKILL" }),
    });
    const [out, error, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
    return { code, out: out.slice(-SAID_LENGTH_MAX), err: error.slice(-SAID_LENGTH_MAX) };
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error; // ENOENT, EACCES, EAGAIN: it cannot be started
    throw new InstallerFailed(`${words[0]} cannot be started (${String(error.code)})`, { cause: error });
  }
}

function troubleOf(said: Said, otherwise: UpdateTrouble["code"]): UpdateTrouble {
  const code = otherwise === "installFailed" ? otherwise : (REFUSALS.find(([words]) => words.test(said.err))?.[1] ?? otherwise);
  return { code, detail: `the updater refuses it: ${lastLineOf(said)}` };
}

/** The last thing it said, without its prefix. */
function lastLineOf({ code, err: said }: Said): string {
  const line = said.split("\n").findLast((each) => each.trim() !== "" && !/^rauc-Message|^\(rauc/.test(each));
  return line === undefined ? `exit code ${code}` : line.trim().slice(0, 300);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
