import type { Command } from "./command.ts";

/** The overview of commands: one line each. */
export function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map((c) => c.name.length));
  const lines = commands.map((c) => `  bizra ${c.name.padEnd(width)}  ${c.summary}`);
  return ["Usage: bizra COMMAND [--help] [--json]", "", ...lines, "", "Exit codes: 0 done, 1 failed, 2 wrong usage."].join("\n");
}

/** Usage, purpose and flags of one command. */
export function commandHelp(command: Command): string {
  const flags = Object.entries(command.flags).map(([name, spec]) => [
    `--${name}${spec.kind === "text" ? ` ${spec.value ?? "TEXT"}` : ""}`,
    spec.isRepeatable ? `${spec.doc} May be repeated.` : spec.doc,
  ]);
  flags.push(["--json", "Prints results as JSON lines."]);
  const width = Math.max(...flags.map(([name]) => (name as string).length));
  const lines = flags.map(([name, doc]) => `  ${(name as string).padEnd(width)}  ${doc}`);
  const usage = `Usage: bizra ${command.name}${command.arguments ? ` ${command.arguments}` : ""} [flags]`;
  return [usage, "", command.summary, "", ...lines].join("\n");
}
