import { existsSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { MEDIUM, parseProvision } from "../../../appliance/provisioning/index.ts";
import {
  ARCHITECTURES,
  BOARDS,
  buildImage,
  findMirror,
  flashImage,
  type ImageCheck,
  ImageFailure,
  type ImageIdentity,
  isVersion,
  KERNELS,
  openBootKeys,
  openKeys,
  parseLock,
  parseManifest,
  provisionImage,
  verifyImage,
} from "../../../image/index.ts";
import { systemClock, VERSION } from "../../node/index.ts";
import { type Command, CommandFailure, type CommandInput, type FlagSpec, required, UsageError } from "../command.ts";
import { readBytes, readText } from "../files.ts";
import { progressOf } from "../progress.ts";
import type { Terminal } from "../terminal.ts";
import { programWords } from "../up/supervised-child.ts";

/** Where the keys are that sign images; a development key is made where there are none. */
export const KEYS_FLAG: Readonly<Record<string, FlagSpec>> = {
  keys: {
    kind: "text",
    value: "DIR",
    doc: "Signing keys (default ~/.config/bizra/image-keys); where there are none, development keys are made.",
  },
};

/** The folder that `--keys` names. */
export function keysFolder(input: CommandInput): string {
  return resolve(input.flag("keys") ?? join(homedir(), ".config/bizra/image-keys"));
}

/** The certificate that `--trust` names, or that of the keys. */
export function trustedAuthority(input: CommandInput): string {
  return input.flag("trust") ?? join(keysFolder(input), "ca.cert.pem");
}

/** Runs what may fail for a reason that a person can mend. */
export async function mendable<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof ImageFailure)) throw error;
    throw new CommandFailure(error.message);
  }
}

/** One of some words; the usage error names them. */
function oneOf<T extends string>(text: string, name: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found === undefined) throw new UsageError(`expected --${name} as one of ${choices.join(", ")}, got ${JSON.stringify(text)}`);
  return found;
}

/** `bizra image build`: an image from Debian's packages and this program. */
export const imageBuild: Command = {
  name: "image build",
  summary: "Builds a signed disk image of a box, without root. Equal packages, program and keys give an equal root hash.",
  flags: {
    arch: { kind: "text", value: "ARCH", doc: `Processor of the boxes: ${ARCHITECTURES.join(" or ")}.` },
    out: { kind: "text", value: "DIR", doc: "Where to put image, manifest, signature, bill of materials and package list." },
    kernel: { kind: "text", value: "KIND", doc: "generic (default) for real machines, cloud for virtual ones." },
    board: { kind: "text", value: "BOARD", doc: `A board that has no UEFI: ${BOARDS.join(" or ")} (default: any machine with UEFI).` },
    version: { kind: "text", value: "X.Y.Z", doc: "Version of the image (default: that of this program)." },
    program: { kind: "text", value: "FILE", doc: "The node's compiled program for that processor (default: this one)." },
    lock: { kind: "text", value: "FILE", doc: "Take exactly the packages that an earlier build listed, and refuse others." },
    mirror: { kind: "text", value: "URL", doc: "Mirror of Debian (default: the one that this machine's apt uses)." },
    "security-mirror": { kind: "text", value: "URL", doc: "Mirror of Debian's security updates; together with --mirror." },
    cache: { kind: "text", value: "DIR", doc: "Where downloaded packages are kept (default ~/.cache/bizra/packages)." },
    home: { kind: "text", value: "DIR", doc: "A node's home that the image begins with. For trials: every copy runs the same keys." },
    "debug-shell": { kind: "presence", doc: "A root shell on a port that virtual machines have. For trials; refused for a release." },
    ...KEYS_FLAG,
  },
  async run(input, terminal) {
    const architecture = oneOf(required(input, "arch"), "arch", ARCHITECTURES);
    const kernel = oneOf(input.flag("kernel") ?? "generic", "kernel", KERNELS);
    const version = input.flag("version") ?? VERSION.version;
    if (!isVersion(version)) throw new UsageError(`expected --version as X.Y.Z, got ${JSON.stringify(version)}`);
    const [home, board] = [input.flag("home"), input.flag("board")];
    const lock = lockOf(input);
    const built = await mendable(async () => {
      const keys = await openKeys(keysFolder(input));
      const identity: ImageIdentity = {
        ...{ version, architecture, kernel, variant: keys.variant },
        ...(board !== undefined && { board: oneOf(board, "board", BOARDS) }),
        ...(input.has("debug-shell") && { hasDebugShell: true as const }),
      };
      const order = {
        identity,
        program: { path: programOf(input), version: VERSION.version },
        keys,
        bootKeys: await openBootKeys(keysFolder(input), keys.variant),
        mirror: await mirrorOf(input),
        out: resolve(required(input, "out")),
        cache: resolve(input.flag("cache") ?? join(homedir(), ".cache/bizra/packages")),
        ...(lock === undefined ? {} : { lock }),
        ...(home === undefined ? {} : { home }),
      };
      return await buildImage(order, stepsOf(terminal));
    });
    const { manifest, files } = built;
    if (manifest.variant === "development") terminal.note("Signed with a development key: boxes of a release refuse what it signs.");
    terminal.result({ ...manifest, files }, () => [`Image      ${files.compressed}`, `Root hash  ${manifest.verity.rootHash}`].join("\n"));
    return 0;
  },
};

/** Tells each step with the time at which it began. */
function stepsOf(terminal: Terminal): (step: string) => void {
  const startedMs = systemClock.monotonicMs();
  return (step) => terminal.note(`${((systemClock.monotonicMs() - startedMs) / 1_000).toFixed(1).padStart(6)} s  ${step}`);
}

function lockOf(input: CommandInput) {
  const path = input.flag("lock");
  if (path === undefined) return undefined;
  const parsed = parseLock(readText(path));
  if (!parsed.ok) throw new CommandFailure(`expected a list of packages in ${path}: ${parsed.error}`);
  return parsed.value;
}

function programOf(input: CommandInput): string {
  const given = input.flag("program");
  if (given !== undefined) return given;
  if (programWords().length > 1) throw new CommandFailure("expected --program, since this runs from source; `bun run build` makes one");
  return process.execPath;
}

async function mirrorOf(input: CommandInput) {
  const [main, security] = [input.flag("mirror"), input.flag("security-mirror")];
  if (main === undefined && security === undefined) return await findMirror();
  if (main === undefined || security === undefined) throw new UsageError("expected --mirror and --security-mirror together");
  return { main, security };
}

/** `bizra image verify`: whether an image is whole, and who signed it. */
export const imageVerify: Command = {
  name: "image verify",
  summary: "Checks signature, partition table, every partition and the root hash of an image; manifest and signature lie beside it.",
  arguments: "IMAGE",
  positionalsMin: 1,
  flags: { trust: { kind: "text", value: "FILE", doc: "Certificate of the authority to trust (default: that of --keys)." }, ...KEYS_FLAG },
  async run(input, terminal) {
    const [path = ""] = input.positionals;
    const { isGood, checks, manifest } = await mendable(() => verifyImage({ path, authority: trustedAuthority(input) }));
    terminal.result({ ok: isGood, checks, ...(manifest && { manifest }) }, () =>
      [...checks.map(lineOf), isGood ? `${path} is good.` : `${path} is NOT good.`].join("\n"),
    );
    return isGood ? 0 : 1;
  },
};

/** A check as a line of text. */
export function lineOf({ check, isOk, detail }: ImageCheck): string {
  return `${isOk ? "ok  " : "FAIL"}  ${check.padEnd(16)}  ${detail}`;
}

/** `bizra image provision`: a plan in an image, for flashing many. */
export const imageProvision: Command = {
  name: "image provision",
  summary: "Puts a provision.json, and the genesis.json beside it, into an uncompressed image without mounting it; judges both first.",
  arguments: "IMAGE FILE",
  positionalsMin: 2,
  flags: {},
  async run(input, terminal) {
    const [image = "", path = ""] = input.positionals;
    const plan = readBytes(path);
    const parsed = parseProvision(plan);
    if (!parsed.ok) throw new CommandFailure(`expected a provision.json without a mistake at ${path}: ${parsed.error.join(" ")}`);
    const beside = join(dirname(path), MEDIUM.genesis);
    const genesis = existsSync(beside) ? readBytes(beside) : undefined;
    await mendable(() => provisionImage(image, { "provision.json": plan, ...(genesis && { "genesis.json": genesis }) }));
    const names = ["provision.json", ...(genesis ? ["genesis.json"] : [])];
    terminal.result(
      { image, files: names, hostname: parsed.value.hostname },
      () => `${image} now holds ${names.join(" and ")} for ${parsed.value.hostname}.`,
    );
    return 0;
  },
};

/** `bizra image flash`: an image on a disk. */
export const imageFlash: Command = {
  name: "image flash",
  summary: "Writes an image to a disk, reads it back and compares. Refuses a disk that is mounted or that holds something else.",
  arguments: "IMAGE DEVICE",
  positionalsMin: 2,
  flags: { erase: { kind: "presence", doc: "Whatever the disk holds may be erased." } },
  async run(input, terminal) {
    const [image = "", target = ""] = input.positionals;
    const diskBytes = sizeOf(image);
    const show = progressOf(terminal);
    const mib = (bytes: number): number => Math.round(bytes / 1024 / 1024);
    const report = await mendable(() =>
      flashImage({ image, target, diskBytes, mayErase: input.has("erase") }, (step, done, total) =>
        show(`${step} MiB`, mib(done), mib(total)),
      ),
    );
    terminal.result(
      { target, ...report },
      () => `${target} holds ${image}: ${mib(report.bytes)} MiB compared, ${mib(report.writtenBytes)} MiB written.`,
    );
    return 0;
  },
};

/** Bytes of the disk that an image makes: of an uncompressed one its own, else what its manifest says. */
function sizeOf(image: string): number {
  if (!existsSync(image)) throw new CommandFailure(`expected an image at ${image}, where there is nothing`);
  if (!image.endsWith(".zst")) return statSync(image).size;
  const parsed = parseManifest(readText(image.replace(/\.img\.zst$/, ".manifest.json")));
  if (!parsed.ok) throw new CommandFailure(`expected the image's manifest beside it: ${parsed.error}`);
  return parsed.value.diskBytes;
}
