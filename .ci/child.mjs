/**
 * Child processes of the scripts in this folder: each in a process group of its own, so that a limit on its time or a
 * Ctrl-C ends it together with everything it started.
 */
import { spawn } from "node:child_process";

/** How long a group may take to end after SIGTERM before it is killed. */
const GRACE_MS = 5_000;

/** How long output may still arrive after a command has ended. */
const DRAIN_MS = 2_000;

/** Groups still running, ended when this process is told to stop. @type {Set<number>} */
const running = new Set();

/**
 * Sends a signal to a process group; a group that is gone already is no error.
 *
 * @param {number} group process id of the group's leader
 * @param {NodeJS.Signals} signal
 * @returns {boolean} whether the group existed
 */
export function signalGroup(group, signal) {
  try {
    process.kill(-group, signal);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}

/** Makes SIGINT and SIGTERM end every running child first. Call once, from a main script. */
export function endChildrenOnSignals() {
  for (const [signal, code] of /** @type {const} */ ([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ])) {
    process.on(signal, () => {
      for (const group of running) signalGroup(group, "SIGTERM");
      setTimeout(
        () => {
          for (const group of running) signalGroup(group, "SIGKILL");
          process.exit(code);
        },
        running.size === 0 ? 0 : 1_000,
      );
    });
  }
}

/**
 * @typedef {object} ChildOutcome
 * @property {boolean} ok the command ended by itself with exit code 0
 * @property {string} verdict how it ended, in words, e.g. "exit code 1"
 * @property {string} output standard output and error in the order they arrived
 * @property {number} elapsedMs
 */

/**
 * Runs a command to its end, collecting its output.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd: string, env: NodeJS.ProcessEnv, limitMs: number, echo: boolean }} options `echo` also prints the output as it comes
 * @returns {Promise<ChildOutcome>} never rejects: a command that cannot start is an outcome too
 */
export function runChild(command, args, { cwd, env, limitMs, echo }) {
  return new Promise((resolve) => {
    const startedMs = performance.now();
    const child = spawn(command, args, { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const group = child.pid;
    if (group !== undefined) running.add(group);
    /** @type {Buffer[]} */
    const chunks = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        chunks.push(chunk);
        if (echo) process.stdout.write(chunk);
      });
    }
    let late = false;
    /** @type {NodeJS.Timeout | undefined} */
    let killTimer;
    const limitTimer = setTimeout(() => {
      late = true;
      if (group === undefined) return;
      signalGroup(group, "SIGTERM");
      killTimer = setTimeout(() => signalGroup(group, "SIGKILL"), GRACE_MS);
    }, limitMs);
    /** @param {string} verdict @param {boolean} ok */
    const finish = (verdict, ok) => {
      clearTimeout(limitTimer);
      clearTimeout(killTimer);
      if (group !== undefined) running.delete(group);
      resolve({ ok, verdict, output: Buffer.concat(chunks).toString("utf8"), elapsedMs: performance.now() - startedMs });
    };
    child.on("error", (error) => finish(`could not start: ${error.message}`, false));
    child.on("exit", (code, signal) => {
      // Whatever the command left behind ends here; else a leaked grandchild would hold the pipes open for ever.
      if (group !== undefined) signalGroup(group, "SIGKILL");
      const settle = () => {
        if (late) finish(`stopped after ${Math.round(limitMs / 1000)} s without an end`, false);
        else if (signal !== null) finish(`ended by ${signal}`, false);
        else finish(`exit code ${code}`, code === 0);
      };
      const drainTimer = setTimeout(settle, DRAIN_MS);
      child.on("close", () => {
        clearTimeout(drainTimer);
        settle();
      });
    });
  });
}
