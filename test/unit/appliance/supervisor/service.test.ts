import { describe, expect, test } from "bun:test";
import { SUPERVISOR_TUNING, Supervisor } from "../../../../appliance/supervisor/index.ts";
import { silentLog } from "../../../../src/kernel/index.ts";
import { ScriptedPlatform } from "./scripted-platform.ts";
import { SetTime } from "./set-time.ts";

const PROBE_MS = 2_000;

function rig() {
  const platform = new ScriptedPlatform();
  const time = new SetTime();
  const entropy = { bytes: (count: number) => new Uint8Array(count) };
  const parts = { platform, clock: time, timers: time, entropy, log: silentLog, tuning: SUPERVISOR_TUNING, probeIntervalMs: PROBE_MS };
  return { platform, time, supervisor: new Supervisor(parts) };
}

async function healthyRig() {
  const all = rig();
  all.platform.answerAs("synced");
  all.supervisor.start();
  await all.time.pass(PROBE_MS);
  all.platform.takeCalls();
  return all;
}

describe("a supervisor", () => {
  test("supervisor: a node that becomes healthy, told to the service manager with what it does", async () => {
    const { platform, time, supervisor } = rig();
    platform.answerAs("catchingUp");
    supervisor.start();
    await time.pass(PROBE_MS * 2);
    expect(platform.calls.filter((call) => !call.startsWith("STATUS"))).toEqual(["spawn", `pause ${1_200_000}`, "READY", "feed", "feed"]);
    expect(platform.calls.filter((call) => call.startsWith("STATUS"))).toEqual([
      "STATUS starting: the node starts: it was not heard of yet",
      "STATUS running: the node runs: catching up with the chain at height 7",
    ]);
    expect(supervisor.status).toMatchObject({ phase: "running", healthyLooks: 2, restarts: 0, pid: 100 });
  });

  test("supervisor: a node that hangs, not fed, killed and started again within the limit", async () => {
    const { platform, time, supervisor } = await healthyRig();
    platform.fallSilent();
    await time.pass(SUPERVISOR_TUNING.hangMs - 1);
    expect(platform.takeCalls()).toEqual([]);
    expect(supervisor.status.verdict?.detail).toBe("it does not answer");
    await time.pass(1 + SUPERVISOR_TUNING.backOffFirstMs);
    expect(platform.takeCalls()).toEqual(["SIGKILL", "pause 1200000", "spawn", "pause 1200000"]);
    expect(supervisor.status).toMatchObject({ phase: "starting", pid: 101, restarts: 1, healthyLooks: 0, verdict: undefined });
  });

  test("supervisor: an answer that was asked of a process that ended meanwhile, not counted", async () => {
    const { platform, time, supervisor } = await healthyRig();
    const { promise, resolve } = Promise.withResolvers<void>();
    const answer = platform.script.answer;
    platform.probe = async () => {
      await promise;
      return answer();
    };
    await time.pass(PROBE_MS);
    platform.crash();
    await time.settle();
    platform.takeCalls();
    resolve();
    await time.settle();
    expect(platform.takeCalls()).toEqual([]);
    expect(supervisor.status.phase).toBe("backing-off");
  });

  test("supervisor: crashes on and on, failed with its last end, no process left; restarted when asked", async () => {
    const { platform, time, supervisor } = rig();
    supervisor.start();
    for (let i = 0; i <= SUPERVISOR_TUNING.restartsMax; i++) {
      platform.crash(3);
      await time.pass(SUPERVISOR_TUNING.backOffMaxMs);
    }
    expect(supervisor.status).toMatchObject({ phase: "failed", pid: undefined });
    expect(supervisor.status.detail).toContain("ended with exit code 3; 5 restarts");
    expect(platform.running.size).toBe(0);
    platform.answerAs("synced");
    supervisor.restart();
    await time.pass(PROBE_MS);
    expect(supervisor.status.phase).toBe("running");
  });

  test("supervisor: no process can be started, backed off like a crash", async () => {
    const { platform, time, supervisor } = rig();
    platform.canSpawn = false;
    supervisor.start();
    await time.settle();
    await time.pass(0);
    expect(supervisor.status).toMatchObject({ phase: "backing-off", detail: expect.stringContaining("EAGAIN") });
    platform.canSpawn = true;
    platform.answerAs("synced");
    await time.pass(SUPERVISOR_TUNING.backOffFirstMs + PROBE_MS);
    expect(supervisor.status.phase).toBe("running");
  });

  test("supervisor: stop, told, the watchdogs let go, resolved when the process has ended", async () => {
    const { platform, time, supervisor } = await healthyRig();
    const stopped = supervisor.stop();
    await time.settle();
    await stopped;
    expect(platform.takeCalls()).toEqual(["STOPPING", "release", "SIGTERM"]);
    expect(platform.running.size).toBe(0);
  });

  test("supervisor: stop of a node that hears no SIGTERM, killed after the grace", async () => {
    const { platform, time, supervisor } = rig();
    platform.script = { ...platform.script, obeys: false };
    platform.answerAs("synced");
    supervisor.start();
    await time.pass(PROBE_MS);
    platform.takeCalls();
    const stopped = supervisor.stop();
    await time.pass(SUPERVISOR_TUNING.stopGraceMs);
    await stopped;
    expect(platform.takeCalls()).toEqual(["STOPPING", "release", "SIGTERM", "SIGKILL"]);
  });

  test("supervisor: stop when nothing runs, resolved at once", async () => {
    const { platform, supervisor } = rig();
    await supervisor.stop();
    expect(platform.takeCalls()).toEqual([]);
  });

  test("supervisor: never two processes, whatever a restart meets", async () => {
    const { platform, time, supervisor } = await healthyRig();
    for (let i = 0; i < 5; i++) {
      supervisor.restart();
      supervisor.start();
      supervisor.restart();
      await time.pass(PROBE_MS * (i + 1));
      if (i % 2 === 0) platform.crash();
      await time.pass(1_000);
    }
    expect(platform.mostAtOnce).toBe(1);
  });
});
