import type { CancelTimer, Clock, Timers } from "../../src/kernel/index.ts";

type Event = { readonly at: number; readonly order: number; readonly action: () => void; isCancelled: boolean };

/** Time moves in steps of a power of two, so that sums are exact and no timer fires a hair before its time. */
const TICKS_PER_MS = 1024;

/** Simulated time: events run in order of their time, then of their making. Nothing else moves it. */
export class Schedule {
  nowMs = 0;
  /** Events that ran. */
  eventCount = 0;
  /** Called after each event, once it has returned: promises settle, processes that must end do. */
  onSettling: () => void = () => {};
  #order = 0;
  #heap: Event[] = [];

  /** Runs an action after a delay. */
  after(delayMs: number, action: () => void): CancelTimer {
    const at = Math.ceil((this.nowMs + Math.max(0, delayMs)) * TICKS_PER_MS) / TICKS_PER_MS;
    const event = { at, order: this.#order++, action, isCancelled: false };
    push(this.#heap, event);
    return () => {
      event.isCancelled = true;
    };
  }

  /** Runs the next event; false when there is none. */
  runNext(): boolean {
    for (let event = pop(this.#heap); event; event = pop(this.#heap)) {
      if (event.isCancelled) continue;
      this.nowMs = event.at;
      this.eventCount++;
      event.action();
      this.onSettling();
      return true;
    }
    return false;
  }

  /** Runs events until a time, or until a condition holds; true when it holds. */
  runUntil(untilMs: number, isDone: () => boolean = () => false): boolean {
    while (!isDone()) {
      while (this.#heap[0]?.isCancelled) pop(this.#heap);
      if (!this.#heap[0] || this.#heap[0].at > untilMs) {
        this.nowMs = Math.max(this.nowMs, untilMs);
        return isDone();
      }
      this.runNext();
    }
    return true;
  }

  /** A clock whose wall time starts at `startMs` and may be off. */
  clock(startMs: number): Clock {
    return { nowMs: () => startMs + this.nowMs, monotonicMs: () => this.nowMs };
  }

  /** Timers that die with `isAlive`. */
  timers(isAlive: () => boolean): Timers {
    return {
      after: (delayMs, action) =>
        this.after(delayMs, () => {
          if (isAlive()) action();
        }),
    };
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function push(heap: Event[], event: Event): void {
  let at = heap.length;
  heap.push(event);
  while (at > 0) {
    const above = (at - 1) >> 1;
    if (!isBefore(event, heap[above] as Event)) break;
    heap[at] = heap[above] as Event;
    at = above;
  }
  heap[at] = event;
}

function pop(heap: Event[]): Event | undefined {
  const first = heap[0];
  const last = heap.pop();
  if (!first || !last || heap.length === 0) return first;
  let at = 0;
  for (;;) {
    let below = 2 * at + 1;
    if (below >= heap.length) break;
    const right = heap[below + 1];
    if (right && isBefore(right, heap[below] as Event)) below++;
    if (!isBefore(heap[below] as Event, last)) break;
    heap[at] = heap[below] as Event;
    at = below;
  }
  heap[at] = last;
  return first;
}
