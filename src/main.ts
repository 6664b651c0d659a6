import { COMMANDS, runCommandLine } from "./cli/index.ts";

process.exitCode = await runCommandLine(COMMANDS, process.argv.slice(2));
