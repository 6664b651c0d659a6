/**
 * `npm start`: brings in Bun and the packages, builds the binary when it is absent or stale, and runs the whole system on
 * this machine: `dist/bizra up`, with whatever stands after `npm start --`. Data goes to .bizra/ in the project. Ctrl-C and
 * SIGTERM are handed on, and this waits until everything has ended.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { ensureBinary } from "./binary.mjs";
import { endChildrenOnSignals, signalGroup } from "./child.mjs";
import { ensureBun, ensurePackages, projectRoot, SetupError } from "./toolchain.mjs";

/** A terminal's Ctrl-C reaches npm and this script, and npm hands it on once more: one wish, not two. */
const ECHO_MS = 500;
/** How often to look whether npm is still there. */
const PARENT_CHECK_MS = 1_000;
/** How long the system may take to end in good order. */
const STOP_LIMIT_MS = 30_000;

/**
 * Runs the system until it ends, handing on the signals that ask it to.
 *
 * @param {string} binary
 * @param {readonly string[]} args
 * @returns {Promise<number>} the exit code to end with
 */
function runSystem(binary, args) {
  // BIZRA_* settings are the user's and go through; what would turn the binary into another Bun does not.
  const { BUN_OPTIONS: _options, BUN_BE_BUN: _beBun, ...env } = process.env;
  return new Promise((resolve, reject) => {
    // A group of its own: the terminal's Ctrl-C reaches it through here only, so it comes once.
    const system = spawn(binary, args, { cwd: projectRoot, env, detached: true, stdio: ["ignore", "inherit", "inherit"] });
    const group = system.pid;
    /** @type {NodeJS.Timeout | undefined} */
    let killTimer;
    let lastSignalMs = Number.NEGATIVE_INFINITY;
    /** @param {NodeJS.Signals} signal */
    const handOn = (signal) => {
      const nowMs = performance.now();
      if (group === undefined || nowMs - lastSignalMs < ECHO_MS) return;
      lastSignalMs = nowMs;
      system.kill(signal);
      killTimer ??= setTimeout(() => {
        console.error(`bizra up has not ended ${STOP_LIMIT_MS / 1000} s after ${signal}: killing it`);
        signalGroup(group, "SIGKILL");
      }, STOP_LIMIT_MS);
    };
    for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
      process.removeAllListeners(signal);
      process.on(signal, () => handOn(signal));
    }
    // npm that is killed outright hands on nothing; its absence is the sign that nobody is left to stop the system.
    const startedUnder = process.ppid;
    const parentTimer = setInterval(() => {
      if (process.env["npm_lifecycle_event"] !== undefined && process.ppid !== startedUnder) handOn("SIGTERM");
    }, PARENT_CHECK_MS);
    system.on("error", reject);
    system.on("exit", (code, signal) => {
      clearTimeout(killTimer);
      clearInterval(parentTimer);
      if (group !== undefined) signalGroup(group, "SIGKILL");
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

endChildrenOnSignals();
try {
  const bun = await ensureBun();
  await ensurePackages(bun);
  const binary = await ensureBinary(bun);
  const extra = process.argv.slice(2);
  process.exitCode = await runSystem(binary, ["up", ...extra]);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
