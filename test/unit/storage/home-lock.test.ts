import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { acquireFileLock, acquireHomeLock, isStorageError, type StorageError } from "../../../src/storage/index.ts";
import { inFolder } from "./sample-database.ts";

function refusal(action: () => unknown): StorageError {
  try {
    action();
  } catch (error) {
    if (isStorageError(error)) return error;
    throw error; // only storage errors are expected
  }
  throw new Error("the lock was given");
}

const STORAGE = JSON.stringify(`${import.meta.dir}/../../../src/storage/index.ts`);

test("home lock: taken twice in one process, is refused until it is released", () =>
  inFolder((home) => {
    const lock = acquireHomeLock(home);
    expect(refusal(() => acquireHomeLock(home)).code).toBe("busy");
    lock.release();
    lock.release();
    acquireHomeLock(home).release();
    expect(readdirSync(home)).toEqual(["home.lock"]);
  }));

test("home lock: a home that does not exist, is missing", () => {
  expect(refusal(() => acquireHomeLock("/nowhere/at/all")).code).toBe("missing");
});

test("home lock: held by a process that is then killed, is refused naming it and free at once", async () => {
  const home = mkdtempSync(`${tmpdir()}/bizra-lock-`);
  try {
    const script = `const { acquireHomeLock } = await import(${STORAGE}); globalThis.lock = acquireHomeLock(${JSON.stringify(home)}); console.log("held"); process.stdin.resume();`;
    const holder = Bun.spawn([process.execPath, "-e", script], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    await holder.stdout.getReader().read();
    expect(refusal(() => acquireHomeLock(home))).toMatchObject({ code: "busy", message: expect.stringContaining(`process ${holder.pid}`) });
    holder.kill("SIGKILL");
    await holder.exited;
    acquireFileLock(`${home}/home.lock`).release();
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});
