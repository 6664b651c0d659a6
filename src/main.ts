import { COMMANDS, runCommandLine } from "./cli/index.ts";
import { VERSION } from "./node/version.ts";

try {
  process.exitCode = await runCommandLine(COMMANDS, process.argv.slice(2));
} catch (error) {
  // A defect of this program, never of the input: said in one place, with what is needed to find it.
  const { version, commit } = VERSION;
  console.error(`bizra: a defect of this program (${version}, ${commit}); please report it with the lines below`);
  console.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
}
