import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HardwareWatchdog, RecentLines, Systemd } from "../../../../appliance/supervisor/index.ts";
import { type Log, silentLog } from "../../../../src/kernel/index.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-watchdog-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function systemdWith(watchdogMs: number | undefined) {
  const sent: string[] = [];
  const socket = {
    send: (text: string) => {
      sent.push(text);
      return true;
    },
    close: () => {},
  };
  return { sent, systemd: new Systemd({ socket: "/run/notify", watchdogMs }, () => socket) };
}

describe("the service manager", () => {
  test("supervisor: words for systemd, one line each", () => {
    const { sent, systemd } = systemdWith(30_000);
    systemd.tell({ isReady: true, status: "running:\nall\r\nwell" });
    systemd.tell({ isStopping: true });
    expect(sent).toEqual(["READY=1\nSTATUS=running: all well", "STOPPING=1"]);
  });

  test("supervisor: a pause gives the watchdog another limit, the next feeding its own again", () => {
    const { sent, systemd } = systemdWith(30_000);
    systemd.pause(60_000);
    systemd.feed();
    systemd.feed();
    expect(sent).toEqual(["EXTEND_TIMEOUT_USEC=60000000\nWATCHDOG_USEC=60000000", "WATCHDOG_USEC=30000000\nWATCHDOG=1", "WATCHDOG=1"]);
  });

  test("supervisor: no watchdog asked for, none fed", () => {
    const { sent, systemd } = systemdWith(undefined);
    systemd.feed();
    systemd.pause(1_000);
    expect(sent).toEqual(["EXTEND_TIMEOUT_USEC=1000000"]);
  });

  test("supervisor: no service manager, nothing sent and nothing wrong", () => {
    const alone = new Systemd({ socket: undefined, watchdogMs: undefined });
    alone.tell({ isReady: true });
    alone.feed();
    expect(alone.isThere).toBe(false);
  });

  test("supervisor: a name that is no socket's, nobody there", () => {
    for (const socket of ["", "relative", "/", `/${"x".repeat(120)}`]) {
      expect(new Systemd({ socket, watchdogMs: undefined }).isThere).toBe(false);
    }
  });
});

describe("the board's watchdog", () => {
  test("supervisor: fed, opened at the first time; let go, the magic letter", () => {
    const device = join(folder, "watchdog");
    writeFileSync(device, "");
    const watchdog = new HardwareWatchdog(device, silentLog);
    watchdog.release();
    expect(watchdog.isArmed).toBe(false);
    expect(readFileSync(device, "latin1")).toBe("");
    watchdog.feed();
    watchdog.feed();
    expect(watchdog.isArmed).toBe(true);
    watchdog.release();
    watchdog.release();
    expect(readFileSync(device, "latin1")).toBe("\0\0V");
    expect(watchdog.isArmed).toBe(false);
  });

  test("supervisor: no device, told once and left alone", () => {
    const warned: string[] = [];
    const log: Log = { ...silentLog, warn: (event) => void warned.push(event) };
    const watchdog = new HardwareWatchdog(join(folder, "absent"), log);
    watchdog.feed();
    watchdog.feed();
    expect(warned).toEqual(["watchdog.unusable"]);
    expect(watchdog.isArmed).toBe(false);
  });
});

describe("recent lines", () => {
  test("supervisor: the last lines kept whole across pieces, bounded in number and length", () => {
    const recent = new RecentLines(3);
    recent.add("one\ntw");
    recent.add("o\n\nthree\nfour\nfi");
    expect(recent.lines).toEqual(["two", "three", "four"]);
    recent.add(`${"x".repeat(10_000)}`);
    recent.add("\n");
    expect(recent.lines.at(-1)?.length).toBe(2_000);
  });
});
