import { sha256 } from "../../src/crypto/index.ts";
import { parseHex, present, toHex } from "../../src/kernel/index.ts";
import { asciiOf } from "./field.ts";
import type { BoxConditions } from "./platform.ts";
import type { Progress, PublicKeys } from "./progress.ts";
import type { Seen } from "./state-table.ts";

/** What status.txt tells beside the progress. */
export type StatusFacts = {
  readonly keys: PublicKeys | undefined;
  readonly consoleUrls: readonly string[];
  /** What an enrolment under way waits for. */
  readonly remark: string | undefined;
  /** A file that is nearly provision.json, e.g. provision.json.txt. */
  readonly lookalike: string | undefined;
  /** What went wrong on the box itself. */
  readonly trouble: string | undefined;
  readonly conditions: BoxConditions;
};

/** The fingerprint that people compare: SHA-256 of a public key, in groups of four hex digits. */
export function fingerprintOf(publicKey: string): string {
  const bytes = present(parseHex(publicKey), "a public key is kept as hex");
  return toHex(sha256(bytes))
    .slice(0, 32)
    .replace(/(.{4})(?=.)/g, "$1-");
}

/** What a person should know now: the state in a sentence, what is wrong, and what to do about it. */
export function describeProgress(
  progress: Progress,
  { file }: Seen,
  { remark, lookalike, trouble, conditions }: Omit<StatusFacts, "keys" | "consoleUrls">,
): readonly string[] {
  const { state, refusal, plan } = progress;
  const faults = file.kind === "faulty" ? file.faults : [];
  const isRefused = refusal !== undefined && file.kind !== "absent" && file.hash === refusal.hash;
  return [
    ...(conditions.standstill === undefined ? [] : [conditions.standstill]),
    ...conditions.notes,
    ...(trouble === undefined ? [] : [`The box cannot go on: ${trouble}`]),
    ...(faults.length > 0
      ? [
          `provision.json has ${faults.length === 1 ? "a mistake" : `${faults.length} mistakes`}; nothing was changed:`,
          ...faults.map((fault) => `  - ${fault}`),
        ]
      : []),
    ...(isRefused
      ? [`provision.json was not taken by the aggregator: ${refusal.sentence}`, "Correct provision.json and put it back here."]
      : []),
    ...(lookalike === undefined
      ? []
      : [`There is a file ${lookalike}, which is not read: rename it to provision.json (Windows may hide the end of a name).`]),
    ...(faults.length > 0 ? ["Correct it and put it back here; the box looks again by itself."] : []),
    ...(conditions.standstill === undefined ? [SENTENCES[state]] : []),
    ...(plan?.ssh && !conditions.hasSshServer
      ? ["The plan has ssh keys, but this release has no ssh server: they are kept, and nobody can log in by them."]
      : []),
    ...(state === "claimed" && plan?.aggregator
      ? [`Enrolling at ${plan.aggregator.url}${remark === undefined ? "." : `: ${remark}`}`]
      : []),
  ];
}

const SENTENCES = {
  factory: "This box is new and makes its keys.",
  keyed: "This box has its keys and waits for provision.json, on its partition PROVISION or given to its page.",
  claimed: "This box has taken provision.json and sets itself up.",
  enrolled: "This box is set up; the token is being wiped.",
  ready: "This box is set up. Another provision.json, on its partition PROVISION or given to its page, changes it.",
} as const;

/**
 * The text of status.txt: printable ASCII with the line ends of Windows, so that any editor shows it. Never a token.
 */
export function renderStatus(progress: Progress, seen: Seen, facts: StatusFacts): string {
  const { state, adminCode, plan } = progress;
  const { keys, consoleUrls } = facts;
  const lines = [
    "BIZRA box",
    "",
    `State: ${state}`,
    ...describeProgress(progress, seen, facts),
    "",
    ...(plan ? [`Name: ${plan.hostname}`, `Chain: ${plan.chain.genesis} (${plan.chain.role})`] : []),
    ...(plan?.aggregator ? [`Aggregator: ${plan.aggregator.url}`] : []),
    ...(keys
      ? [
          `Node: ${keys.node}`,
          `Validator public key: ${keys.validator}`,
          `Identity public key: ${keys.identity}`,
          `Identity fingerprint: ${fingerprintOf(keys.identity)}`,
        ]
      : []),
    "",
    ...(adminCode === ""
      ? ["Console: the one-time code was used. For another one, put an empty file named new-code.txt here."]
      : [`Console one-time code: ${adminCode}`]),
    ...(consoleUrls.length > 0 ? [`Console address: ${consoleUrls.join("  ")}`] : []),
    "",
  ];
  return lines.map((line) => `${asciiOf(line)}\r\n`).join("");
}
