import { rmSync } from "node:fs";
import { join } from "node:path";
import { inParallel } from "./audit.ts";
import { bizra, homeOf, lastJson, makeTestnet } from "./bizra.ts";
import type { Chance } from "./chance.ts";
import { loadFor, makeDemoLoad } from "./demo-load.ts";
import { describeHarm, doHarm, filesOf, type Harm, isHalfEmpty, liveBytes, names, sampleFlips } from "./home-files.ts";
import { addressOf, type Keys } from "./independent-client.ts";
import { NodeEnded, type NodeProcess } from "./node-process.ts";
import type { Workplace } from "./workplace.ts";

/** Files that a demo home brings along and a node does not need: nothing knows that they should be there. */
const NOT_MISSED: ReadonlySet<string> = new Set(["keys/owner.json"]);

/** What a damage trial is told. */
export type DamagePlan = {
  /** A stopped home, left as it is. */
  readonly home: string;
  /** Accounts whose books must not change unnoticed. */
  readonly accounts: readonly Keys[];
  readonly flipsPerFile: number;
  /** Of the harm that `doctor` names, the share that a node is started on as well. */
  readonly startShare: number;
  readonly chance: Chance;
  /** Trials at a time. */
  readonly width: number;
  /** Which files are harmed; all when absent. */
  readonly isHarmed?: (file: string) => boolean;
  /** Flags of a node that is started on the home. */
  readonly words?: readonly string[];
  /** Whether `doctor`, which knows only what the chain needs, is left out, and each harm is left to a start. */
  readonly startsOnly?: boolean;
};

/** Two homes of one chain at rest, and the accounts that they keep the books of. */
export type HarmGround = {
  readonly killed: string;
  readonly stopped: string;
  readonly accounts: readonly Keys[];
  readonly surprises: readonly string[];
};

/** Makes a home under load and kills its node, so that every write-ahead log holds something; goes on with it and stops in good order. */
export async function makeHarmGround(place: Workplace, chance: Chance, loadMs: number, words: readonly string[] = []): Promise<HarmGround> {
  const net = await makeTestnet(place.at(words.length > 0 ? "services-net" : "net"));
  const home = homeOf(net);
  const first = await place.start(home, { words });
  const { load } = await makeDemoLoad(net, first, chance, 30);
  const running = loadFor(load, first, loadMs + 500);
  await Bun.sleep(loadMs);
  await first.kill();
  await running;
  const killed = place.copyOf(home);
  const second = await place.start(home, { words });
  await loadFor(load, second, loadMs);
  const code = await second.stop();
  const surprises = code === 0 ? load.surprises : [...load.surprises, `the stop ended with ${code}`];
  return { killed, stopped: home, accounts: load.lanes.map(({ keys }) => keys), surprises };
}

/** What one file's trials found. */
type FileDamageReport = {
  readonly file: string;
  readonly trials: number;
  readonly byDoctor: number;
  readonly startedOn: number;
  readonly namedAtStart: number;
};

/** What a trial found; `faults` lists harm that was lived with silently. */
export type DamageReport = { readonly files: readonly FileDamageReport[]; readonly faults: readonly string[] };

/** What a home is worth: its accounts once all that is pending has ended. */
type Truth = { readonly height: number; readonly books: string };

/** How a node that was started on harm took it: refused naming the file, named it and went on, or said nothing. */
type StartVerdict = { readonly kind: "refused" | "named" } | { readonly kind: "silent"; readonly detail: string };

/**
 * Does harm to each file of a home, one bit or one loss at a time and always on a copy, and requires that it is named:
 * by `doctor`, or by a node that is started on it. Never silent, and never wrong books without a word.
 */
export async function runDamageTrial(place: Workplace, plan: DamagePlan): Promise<DamageReport> {
  const truth = await truthOf(place, plan);
  const faults = await findFalseAlarms(place, plan.home);
  const files = filesOf(plan.home).filter((file) => plan.isHarmed?.(file) ?? true);
  const tally = new Map(files.map((file) => [file, { file, trials: 0, byDoctor: 0, startedOn: 0, namedAtStart: 0 }]));
  const trials = files.flatMap((file) =>
    harmsOf(plan, file).map((harm) => ({ file, harm, alsoStarts: plan.chance.happens(plan.startShare) })),
  );
  await inParallel(
    trials,
    async ({ file, harm, alsoStarts }) => {
      const counts = tally.get(file);
      if (counts === undefined) return;
      const copy = place.copyOf(plan.home);
      try {
        doHarm(copy, file, harm);
        counts.trials++;
        const doctor = plan.startsOnly === true ? { isNamed: false, said: "not asked" } : await askDoctor(copy, file);
        if (doctor.isNamed) counts.byDoctor++;
        if (doctor.isNamed && !alsoStarts) return;
        counts.startedOn++;
        const start = await startOn(place, copy, file, plan, truth);
        if (start.kind !== "silent") counts.namedAtStart++;
        else if (!doctor.isNamed) faults.push(`${file}, ${describeHarm(harm)}: the node ${start.detail}; doctor: ${doctor.said}`);
      } finally {
        rmSync(copy, { recursive: true, force: true });
      }
    },
    plan.width,
  );
  return { files: [...tally.values()], faults };
}

function harmsOf({ home, flipsPerFile, chance }: DamagePlan, file: string): Harm[] {
  const path = join(home, file);
  const size = liveBytes(path);
  if (size === 0) return [];
  const losses: Harm[] = [{ kind: "empty" }];
  if (!NOT_MISSED.has(file)) losses.push({ kind: "delete" });
  if (!isHalfEmpty(path)) losses.push({ kind: "halve" });
  return [...sampleFlips(size, flipsPerFile, chance), ...losses];
}

/** A home that nobody harmed has nothing wrong. */
async function findFalseAlarms(place: Workplace, home: string): Promise<string[]> {
  const copy = place.copyOf(home);
  const { code, out, err } = await bizra("doctor", "--home", copy, "--json");
  return code === 0 && lastJson(out)["ok"] === true ? [] : [`doctor finds fault with an unharmed home (exit ${code}): ${err}${out}`];
}

async function askDoctor(home: string, file: string): Promise<{ readonly isNamed: boolean; readonly said: string }> {
  const { code, out, err } = await bizra("doctor", "--home", home, "--json");
  const said = `exit ${code}: ${out.trim()} ${err.trim()}`.slice(0, 400);
  return { isNamed: names(withoutHome(`${out}${err}`, home), file), said };
}

async function truthOf(place: Workplace, { home, accounts }: DamagePlan): Promise<Truth> {
  const node = await place.start(place.copyOf(home));
  const truth = await readTruth(node, accounts);
  await node.kill();
  return truth;
}

/** Height and books once nothing is pending. */
async function readTruth(node: NodeProcess, accounts: readonly Keys[]): Promise<Truth> {
  for (let waited = 0; waited < 5_000; waited += 20) {
    const status = await node.get("/api/v2/status");
    if ((status["pending"] as { transactions: number }).transactions === 0) break;
    await Bun.sleep(20);
  }
  const books = await Promise.all(accounts.map((keys) => node.get(`/api/v2/accounts/${addressOf(keys.publicKey)}`)));
  const height = Number((await node.get("/api/v2/status"))["height"]);
  return { height, books: JSON.stringify(books.map(({ nonce, balance }) => [nonce, balance])) };
}

async function startOn(place: Workplace, home: string, file: string, plan: DamagePlan, truth: Truth): Promise<StartVerdict> {
  const { accounts, words = [] } = plan;
  const node = place.launch(home, { words });
  try {
    await node.alive();
  } catch (error) {
    if (!(error instanceof NodeEnded)) throw error;
    if (error.code !== 1) return { kind: "silent", detail: `ended with ${error.code}: ${error.output.slice(0, 300)}` };
    if (!names(withoutHome(error.output, home), file))
      return { kind: "silent", detail: `refused without naming it: ${error.output.slice(0, 300)}` };
    return { kind: "refused" };
  }
  if ((await node.request("/readyz")).status === 503) return takeMuteness(node, home, file);
  const found = await readTruth(node, accounts);
  const events = JSON.stringify(await node.get("/api/v2/events?lane=crit&after=1.0&limit=1000"));
  await node.kill();
  if (names(withoutHome(node.output, home), file) || (events.includes("storage.damaged") && names(events, file))) return { kind: "named" };
  const isRight = found.books === truth.books && found.height >= truth.height;
  return {
    kind: "silent",
    detail: isRight ? "started without a word" : `started without a word and with OTHER BOOKS, height ${found.height} of ${truth.height}`,
  };
}

/** A node that runs without voting has to say why. */
async function takeMuteness(node: NodeProcess, home: string, file: string): Promise<StartVerdict> {
  const { detail } = (await node.request("/readyz")).json;
  await node.kill();
  if (names(withoutHome(node.output, home), file)) return { kind: "named" };
  return { kind: "silent", detail: `runs without voting and does not name it: ${String(detail)}` };
}

/** The text without the home's own path, whose name must not pass for the file's. */
function withoutHome(text: string, home: string): string {
  return text.replaceAll(home, "HOME");
}

/** The report as lines for people. */
export function describeDamageReport({ files, faults }: DamageReport): string {
  const lines = files.map(
    ({ file, trials, byDoctor, startedOn, namedAtStart }) =>
      `  ${file.padEnd(28)} harmed ${String(trials).padStart(4)}, named by doctor ${String(byDoctor).padStart(4)}, started on ${String(startedOn).padStart(4)}, of which named or refused ${String(namedAtStart).padStart(4)}`,
  );
  const trials = files.reduce((sum, report) => sum + report.trials, 0);
  return [`${trials} harms to ${files.length} files, ${faults.length} lived with silently`, ...lines].join("\n");
}
