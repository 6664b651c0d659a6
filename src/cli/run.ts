import { parseArgs } from "node:util";
import { type Command, CommandFailure, type CommandInput, UsageError } from "./command.ts";
import { commandHelp, overview } from "./help.ts";
import { systemTerminal, type Terminal } from "./terminal.ts";

/**
 * Runs one command line and gives the exit code: 0 done, 1 failed, 2 wrong usage.
 *
 * @param commands every command, in the order of the overview
 * @param words arguments after the program's name
 */
export async function runCommandLine(commands: readonly Command[], words: readonly string[]): Promise<number> {
  const terminal = systemTerminal(words.includes("--json"));
  const command = findCommand(commands, words);
  const asksHelp = words.includes("--help") || words.includes("-h") || words[0] === "help";
  if (!command) {
    const path = words.filter((word) => !word.startsWith("-") && word !== "help");
    const group = commands.filter((c) => path.length > 0 && c.name.startsWith(`${path.join(" ")} `));
    if (asksHelp || words.length === 0) {
      terminal.print(overview(group.length > 0 ? group : commands));
      return 0;
    }
    terminal.note(
      group.length > 0 ? overview(group) : `bizra: expected a command, got ${JSON.stringify(words.join(" "))}; \`bizra --help\` lists them`,
    );
    return 2;
  }
  if (asksHelp) {
    terminal.print(commandHelp(command));
    return 0;
  }
  return await runCommand(command, words.slice(command.name.split(" ").length), terminal);
}

async function runCommand(command: Command, words: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await command.run(parseInput(command, words), terminal);
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.note(`bizra ${command.name}: ${error.message}\n\n${commandHelp(command)}`);
      return 2;
    }
    if (!(error instanceof CommandFailure)) throw error;
    if (terminal.isJson) terminal.print(JSON.stringify({ error: error.message }));
    terminal.note(`bizra ${command.name}: ${error.message}`);
    return 1;
  }
}

/** The command whose words open the line; the longest name wins. */
function findCommand(commands: readonly Command[], words: readonly string[]): Command | undefined {
  const matching = commands.filter((command) => command.name.split(" ").every((word, i) => words[i] === word));
  return matching.sort((a, b) => b.name.length - a.name.length)[0];
}

function parseInput(command: Command, words: readonly string[]): CommandInput {
  const options: Record<string, { type: "string" | "boolean"; multiple: true }> = { json: { type: "boolean", multiple: true } };
  for (const [name, spec] of Object.entries(command.flags))
    options[name] = { type: spec.kind === "text" ? "string" : "boolean", multiple: true };
  const { values, positionals } = parseStrictly(words, options);
  const min = command.positionalsMin ?? 0;
  const max = command.positionalsMax ?? min;
  if (positionals.length < min || positionals.length > max) {
    throw new UsageError(
      `expected ${command.arguments ?? "no arguments"}, got ${positionals.length === 0 ? "nothing" : positionals.join(" ")}`,
    );
  }
  for (const [name, given] of Object.entries(values)) {
    if (given.length > 1 && !command.flags[name]?.isRepeatable)
      throw new UsageError(`expected --${name} once, got it ${given.length} times`);
  }
  const texts = (name: string): string[] => (values[name] ?? []).filter((value) => typeof value === "string");
  return { flag: (name) => texts(name)[0], flags: texts, has: (name) => values[name] !== undefined, positionals };
}

type ParsedWords = { readonly values: Readonly<Record<string, readonly (string | boolean)[]>>; readonly positionals: readonly string[] };

function parseStrictly(words: readonly string[], options: Record<string, { type: "string" | "boolean"; multiple: true }>): ParsedWords {
  try {
    const { values, positionals } = parseArgs({ args: [...words], options, allowPositionals: true, strict: true });
    return { values: values as ParsedWords["values"], positionals };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // a TypeError is how parseArgs reports unknown or valueless flags
    throw new UsageError(error.message);
  }
}
