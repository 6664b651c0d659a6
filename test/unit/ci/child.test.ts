import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { runChild } from "../../../.ci/child.mjs";

const options = { cwd: import.meta.dir, env: { PATH: process.env["PATH"] ?? "" }, limitMs: 20_000, echo: false };

/** Waits until a process has ended; one that nobody has reaped yet has ended. The test's own limit bounds the wait. */
async function ended(pid: number): Promise<true> {
  while (/\) [^ZX] /.test(readStat(pid))) await new Promise(setImmediate);
  return true;
}

function readStat(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH")) return "";
    throw error;
  }
}

test("child: a command that ends well, its output and verdict are kept", async () => {
  const outcome = await runChild("sh", ["-c", "echo out; echo err >&2"], options);
  expect(outcome).toMatchObject({ ok: true, verdict: "exit code 0" });
  expect(outcome.output.split("\n").sort()).toEqual(["", "err", "out"]);
});

test("child: a command that fails, its exit code is the verdict", async () => {
  expect(await runChild("sh", ["-c", "exit 3"], options)).toMatchObject({ ok: false, verdict: "exit code 3" });
});

test("child: a command that is killed, the signal is the verdict", async () => {
  expect(await runChild("sh", ["-c", "kill -KILL $$"], options)).toMatchObject({ ok: false, verdict: "ended by SIGKILL" });
});

test("child: a command that does not exist, a verdict and no exception", async () => {
  const outcome = await runChild("no-such-command-here", [], options);
  expect(outcome.ok).toBe(false);
  expect(outcome.verdict).toStartWith("could not start");
});

test("child: a command over its limit, it and what it started are ended", async () => {
  const outcome = await runChild("sh", ["-c", "sleep 60 & echo $!; wait"], { ...options, limitMs: 300 });
  expect(outcome).toMatchObject({ ok: false, verdict: "stopped after 0 s without an end" });
  expect(await ended(Number(outcome.output))).toBe(true);
});

test("child: a command that leaves a child holding its output open, the child is ended and the run is not held up", async () => {
  const outcome = await runChild("sh", ["-c", "sleep 60 & echo $!"], options);
  expect(outcome).toMatchObject({ ok: true });
  expect(outcome.elapsedMs).toBeLessThan(45_000); // of the 60 s that its child sleeps
  expect(await ended(Number(outcome.output))).toBe(true);
});
