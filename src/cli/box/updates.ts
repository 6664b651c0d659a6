import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { linuxSource } from "../../../appliance/hardware/index.ts";
import {
  Attendant,
  CHANNELS,
  findOffer,
  InstallerFailed,
  type OfflinePolicy,
  parseBoxStamp,
  RaucInstaller,
  UpdateRecord,
  Updater,
  type UpdateSource,
  type UpdateTrouble,
} from "../../../appliance/ota/index.ts";
import type { Log, Result } from "../../kernel/index.ts";
import { systemClock, systemEntropy, systemTimers } from "../../node/index.ts";
import { nodeFileSystem } from "../../storage/index.ts";
import { CommandFailure, type CommandInput, type FlagSpec, parseCount, UsageError } from "../command.ts";
import { BOX, hasNode } from "./box-files.ts";
import type { BoxProcess } from "./box-process.ts";
import { findStorageFaults } from "./conditions.ts";
import { ControlRefused, type ControlRoutes } from "./control.ts";
import { NodeFacts } from "./node-facts.ts";
import { ReleaseSource } from "./release-source.ts";

/** Names this run of the machine. */
const BOOT_ID = "/proc/sys/kernel/random/boot_id";
/** Where an image's first program puts the partitions of the disk that was booted. */
const SLOTS = "/dev/bizra";
/** What provisioning writes of updates. */
const POLICY = "/data/system/update.json";
/** How long a new release may take to pass the gate, in seconds. */
const PROBATION_SECONDS = 300;

/** What `box run` is told about updates. */
export const UPDATE_FLAGS: Readonly<Record<string, FlagSpec>> = {
  "os-release": { kind: "text", value: "FILE", doc: "What this box is (default /etc/os-release); one without IMAGE_ID has no updates." },
  rauc: { kind: "text", value: "PROGRAM", doc: "The updater, with options between spaces (default rauc)." },
  "reboot-command": { kind: "text", value: "WORDS", doc: "What restarts the machine (default `systemctl reboot`)." },
  "boot-id": { kind: "text", value: "FILE", doc: `What names this run of the machine (default ${BOOT_ID}).` },
  slots: { kind: "text", value: "DIR", doc: `Folder of the slots' devices, whose blocks are not fetched again (default ${SLOTS}).` },
  "update-policy": { kind: "text", value: "FILE", doc: `Which releases are taken without a person, and when (default ${POLICY}).` },
  "probation-seconds": { kind: "text", value: "S", doc: `How long a new release may take to work (default ${PROBATION_SECONDS}).` },
  "offline-policy": {
    kind: "text",
    value: "WORD",
    doc: "as-before: a new release must reach the aggregator when the old one did (default); ignore: it need not.",
  },
};

/** Updates of a box: those that are ordered, those that it orders itself, and where it finds them. */
export type BoxUpdates = { readonly updater: Updater; readonly attendant: Attendant; readonly source: ReleaseSource };

/** The updates of a box; undefined where this machine is no image of one. */
export function openUpdates(box: BoxProcess, input: CommandInput, log: Log, onDefect: (error: unknown) => void): BoxUpdates | undefined {
  const release = input.flag("os-release") ?? "/etc/os-release";
  const stamp = existsSync(release) ? parseBoxStamp(readFileSync(release, "utf8")) : undefined;
  if (!stamp?.ok) return undefined;
  const seconds = input.flag("probation-seconds");
  const source = new ReleaseSource(box.home, input.flag("update-policy") ?? POLICY, log);
  const hardware = linuxSource(systemTimers);
  const updater: Updater = new Updater({
    stamp: stamp.value,
    bootId: readFileSync(input.flag("boot-id") ?? BOOT_ID, "utf8").trim(),
    installer: new RaucInstaller(wordsOf(input.flag("rauc") ?? "rauc"), systemTimers),
    record: new UpdateRecord(nodeFileSystem, join(box.home, BOX.update)),
    folder: join(box.home, BOX.download),
    slots: slotsIn(input.flag("slots") ?? SLOTS),
    ask: source.ask,
    findReasonToWait: () => attendant.findReasonToWait(),
    node: new NodeFacts(box.supervisor, {
      findHttp: () => box.findHttp(),
      hasNode: () => hasNode(box.home),
      isDataLost: () => findStorageFaults(box.home).some(({ code }) => code === "dataLost"),
    }),
    offlinePolicy: policyOf(input.flag("offline-policy") ?? "as-before"),
    probationMs: (seconds === undefined ? PROBATION_SECONDS : parseCount(seconds, "--probation-seconds", 1, 86_400)) * 1_000,
    reboot: () => reboot(wordsOf(input.flag("reboot-command") ?? "systemctl reboot")),
    clock: systemClock,
    timers: systemTimers,
    log,
    onDefect,
  });
  const attendant = new Attendant({
    updater,
    policy: () => source.policy(),
    findChannel: (policy) => source.findChannel(policy),
    isClockTrusted: () => hardware.list("run/systemd/timesync").includes("synchronized"),
    ...{ ask: source.ask, clock: systemClock, timers: systemTimers, entropy: systemEntropy, log, onDefect },
  });
  return { updater, attendant, source };
}

/** Roots before kernels, as most of a bundle is of the first; what cannot be read is passed over. */
function slotsIn(folder: string): readonly string[] {
  return ["root-A", "root-B", "boot-A", "boot-B"].map((name) => join(folder, name));
}

function wordsOf(text: string): readonly string[] {
  const words = text.split(" ").filter((word) => word !== "");
  if (words.length === 0) throw new UsageError("expected a program, got nothing");
  return words;
}

function policyOf(text: string): OfflinePolicy {
  if (text === "as-before") return "asBefore";
  if (text === "ignore") return "ignore";
  throw new UsageError(`expected --offline-policy as-before or ignore, got ${JSON.stringify(text)}`);
}

async function reboot(words: readonly string[]): Promise<void> {
  try {
    const child = Bun.spawn([...words], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
    const [said, code] = await Promise.all([new Response(child.stderr).text(), child.exited]);
    if (code !== 0) throw new InstallerFailed(`${words.join(" ")} ended with ${code}: ${said.trim().slice(-300)}`);
  } catch (error) {
    if (error instanceof InstallerFailed || !(error instanceof Error && "code" in error)) throw error;
    throw new InstallerFailed(`${words[0]} cannot be started (${String(error.code)})`, { cause: error });
  }
}

/** What the box does about updates when it is asked. */
export function updateRoutes(findUpdates: () => BoxUpdates | undefined): ControlRoutes {
  const updates = (): BoxUpdates => {
    const found = findUpdates();
    if (found) return found;
    throw new ControlRefused(
      "notAnImage",
      "this machine is no image of a box: its os-release has no IMAGE_ID, so nothing here can be updated",
    );
  };
  const updater = (): Updater => updates().updater;
  return {
    "GET /update": () => {
      const { channel, window } = updates().source.policy();
      return { ...updater().status, channel, ...(window && { window }) };
    },
    "POST /update/install": (body) => done(updater().order({ source: sourceOf(body), ...digestOf(body), isUnattended: false })),
    "POST /update/check": async ({ channel, install }) => {
      const { version, compatible, floor, failed } = updater().status;
      const { source } = updates();
      const bar = { stamp: { version, compatible }, floor, failed, isUnattended: false };
      const offer = await findOffer(channelOf(source, channel), bar, systemTimers, source.ask);
      if (!offer.ok) return done(offer);
      const { url, sha256 } = offer.value;
      if (install === true) done(updater().order({ source: { kind: "url", url }, sha256, isUnattended: false }));
      return { offer: offer.value };
    },
    "POST /update/move": () => done(updater().moveNow()),
    "POST /update/rollback": async () => done(await updater().back()),
  };
}

/** A channel by its name, by the URL of its folder, or the one that the box was told. */
function channelOf(source: ReleaseSource, given: unknown): string {
  if (typeof given === "string" && /^https?:\/\//.test(given)) return given;
  const policy = source.policy();
  const named = CHANNELS.find((name) => name === (given ?? policy.channel));
  if (named === undefined) throw new ControlRefused("malformed", `expected a channel as stable, beta or a URL, got ${String(given)}`);
  const channel = source.findChannel({ ...policy, channel: named });
  if (channel !== undefined) return channel;
  throw new ControlRefused(
    "notFound",
    named === "none" ? "the box was told no channel; name one" : "the box is enrolled nowhere, and was told no place of releases",
  );
}

function done(result: Result<unknown, UpdateTrouble>): undefined {
  if (!result.ok) throw new ControlRefused(result.error.code, result.error.detail);
  return undefined;
}

function sourceOf({ file, url }: Readonly<Record<string, unknown>>): UpdateSource {
  if (typeof file === "string" && file.startsWith("/")) return { kind: "file", path: file };
  if (typeof url === "string" && /^https?:\/\//.test(url)) return { kind: "url", url };
  throw new ControlRefused("malformed", "expected file as an absolute path, or url with http or https");
}

function digestOf({ sha256 }: Readonly<Record<string, unknown>>): { readonly sha256?: string } {
  if (sha256 === undefined) return {};
  if (typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256)) return { sha256 };
  throw new ControlRefused("malformed", "expected sha256 as 64 hexadecimal digits in lower case");
}

/** Reads an order's source as a person writes it. */
export function parseSource(text: string, resolvePath: (path: string) => string): Readonly<Record<"file" | "url", string | undefined>> {
  if (/^https?:\/\//.test(text)) return { url: text, file: undefined };
  if (/^[a-z][a-z0-9+.-]*:\/\//.test(text)) throw new UsageError(`expected a file, or a URL with http or https, got ${text}`);
  const file = resolvePath(text);
  if (!existsSync(file)) throw new CommandFailure(`there is no ${file} (notFound)`);
  return { file, url: undefined };
}
