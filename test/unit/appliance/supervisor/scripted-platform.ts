import type { Child, ChildEvents, HealthAnswers, ServiceMessage, SupervisorPlatform } from "../../../../appliance/supervisor/index.ts";
import { SpawnFailed } from "../../../../appliance/supervisor/index.ts";

/** How a scripted node behaves. */
export type NodeScript = {
  /** What a look at it brings; called at each. */
  answer: () => HealthAnswers;
  /** Whether SIGTERM ends it. */
  obeys: boolean;
  /** Whether SIGKILL ends it: a process that waits for a disk does not. */
  dies: boolean;
};

/** A machine that does what a test says and writes down what it was asked. */
export class ScriptedPlatform implements SupervisorPlatform {
  readonly calls: string[] = [];
  readonly running = new Set<number>();
  script: NodeScript = { answer: () => ({ isLive: undefined, word: undefined }), obeys: true, dies: true };
  canSpawn = true;
  mostAtOnce = 0;
  #events: ChildEvents | undefined;
  #nextPid = 100;
  #second = 0;

  spawn(events: ChildEvents): Child {
    if (!this.canSpawn) throw new SpawnFailed("EAGAIN");
    const pid = this.#nextPid++;
    this.calls.push("spawn");
    this.running.add(pid);
    this.mostAtOnce = Math.max(this.mostAtOnce, this.running.size);
    this.#events = events;
    const { script } = this;
    return {
      pid,
      signal: (name) => {
        this.calls.push(name);
        if (name === "SIGTERM" ? script.obeys : script.dies) this.end(pid, null, name);
      },
    };
  }

  probe(): Promise<HealthAnswers> {
    return Promise.resolve(this.script.answer());
  }

  notify({ isReady, isStopping, status }: ServiceMessage): void {
    if (isReady) this.calls.push("READY");
    if (isStopping) this.calls.push("STOPPING");
    if (status !== undefined) this.calls.push(`STATUS ${status}`);
  }

  feed(): void {
    this.calls.push("feed");
  }

  pause(limitMs: number): void {
    this.calls.push(`pause ${limitMs}`);
  }

  release(): void {
    this.calls.push("release");
  }

  /** Lets a process end. */
  end(pid: number, code: number | null, signal: string | null): void {
    if (!this.running.delete(pid)) return;
    const events = this.#events;
    queueMicrotask(() => events?.onEnded({ code, signal }));
  }

  /** Lets the running process end by itself. */
  crash(code = 1): void {
    for (const pid of this.running) this.end(pid, code, null);
  }

  /** Lets the running process print a line. */
  print(): void {
    this.#events?.onPrinted();
  }

  /** From now on the node answers, each time a little later. */
  answerAs(syncState: string): void {
    this.script = {
      ...this.script,
      answer: () => ({ isLive: true, word: { role: "validator", height: 7, syncState, time: `12:00:${this.#second++}` } }),
    };
  }

  /** From now on the node is silent. */
  fallSilent(): void {
    this.script = { ...this.script, answer: () => ({ isLive: undefined, word: undefined }) };
  }

  /** Calls since the last time, without status lines. */
  takeCalls(): string[] {
    return this.calls.splice(0).filter((call) => !call.startsWith("STATUS"));
  }
}
