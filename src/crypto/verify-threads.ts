import { assert, type CancelTimer, type Timers } from "../kernel/index.ts";
import { isPackable, packClaims } from "./claim-parcel.ts";
import { type SignatureClaim, verifyEd25519Many } from "./ed25519.ts";

/** Fewer claims than this go to the runtime's pool, one by one: it answers sooner, and idle boxes start no threads. */
const CLAIMS_MIN = 32;
/** Claims of a parcel: at most some three milliseconds of a thread, so that none is late with its part of a round. */
const PARCEL_CLAIMS = { min: 16, max: 64 } as const;

/**
 * A thread that has answered nothing for so long while it had a parcel, and still nothing after a second look, hangs: a parcel
 * takes milliseconds. The second look is for a process that stood still itself and finds its timers due before the answers.
 */
const SILENT_MS = 10_000;
const SECOND_LOOK_MS = 1_000;
/** So many threads in a row that failed before they answered anything, and the pool takes over for good. */
const BARREN_MAX = 4;

/** Why a thread was given up: it said nothing in time, ended or threw, or answered something that is no list of verdicts. */
export type VerifyThreadFault = "hung" | "ended" | "garbled";

/** How verifying threads have fared since the start. */
export type VerifyThreadsHealth = {
  readonly running: number;
  readonly failed: Readonly<Record<VerifyThreadFault, number>>;
  /** Whether no thread is tried any more and the runtime's pool verifies everything. */
  readonly isGivenUp: boolean;
};

/** A parcel under way. */
type Errand = {
  readonly claims: readonly SignatureClaim[];
  readonly resolve: (verdicts: readonly boolean[] | Promise<readonly boolean[]>) => void;
};

/** A thread and what it has not answered, oldest first: it answers in order. */
type Thread = { readonly worker: Worker; readonly errands: Errand[]; answered: number; cancelLook: CancelTimer | undefined };

/**
 * Verifies many signatures at a time on threads of its own. Beside `verifyEd25519Many`, which hands each claim to the
 * runtime's pool by a promise, this takes a tenth of the calling thread's time (0.3 to 0.7 instead of 4 to 5 microseconds
 * a claim) and a tenth less in all, for some 8 MB a thread. The threads start with the first round worth it and stay.
 *
 * A thread that hangs, fails, ends or answers anything but a verdict for each claim, for want of memory say, is replaced; the
 * pool verifies anew what that thread was asked, so nothing is lost and nothing that breaks one thread is given to the next.
 * Where several in a row fail before they answer anything, the pool takes over for good. Only a thread's word for a claim
 * passes it.
 */
export class VerifyThreads {
  readonly #count: number;
  readonly #timers: Timers;
  readonly #startWorker: () => Worker;
  readonly #failed: Record<VerifyThreadFault, number> = { hung: 0, ended: 0, garbled: 0 };
  #threads: Thread[] | undefined;
  #barren = 0;
  #isStopped = false;

  /**
   * @param count of threads, at least 1: one for each core that may work on signatures
   * @param startWorker makes a thread; tests have some that fail
   */
  constructor(count: number, timers: Timers, startWorker: () => Worker = startVerifyWorker) {
    assert(Number.isInteger(count) && count >= 1, "somebody verifies");
    this.#count = count;
    this.#timers = timers;
    this.#startWorker = startWorker;
  }

  /** The verdicts of `verifyEd25519` on these claims, in their order. The arrays must not be written until the promise settles. */
  async verifyMany(claims: readonly SignatureClaim[]): Promise<readonly boolean[]> {
    if (claims.length < CLAIMS_MIN || this.#isIdle || !claims.every(isPackable)) return verifyEd25519Many(claims);
    const size = Math.min(PARCEL_CLAIMS.max, Math.max(PARCEL_CLAIMS.min, Math.ceil(claims.length / this.#count)));
    const parcels: Promise<readonly boolean[]>[] = [];
    for (let start = 0; start < claims.length; start += size) parcels.push(this.#send(claims.slice(start, start + size)));
    return (await Promise.all(parcels)).flat();
  }

  /** How the threads have fared. */
  get health(): VerifyThreadsHealth {
    return { running: this.#threads?.length ?? 0, failed: { ...this.#failed }, isGivenUp: this.#barren >= BARREN_MAX };
  }

  /** Ends the threads; what is under way goes on in the pool. */
  stop(): void {
    this.#isStopped = true;
    for (const thread of this.#threads?.splice(0) ?? []) this.#retire(thread);
  }

  get #isIdle(): boolean {
    return this.#isStopped || this.#barren >= BARREN_MAX;
  }

  #send(claims: readonly SignatureClaim[]): Promise<readonly boolean[]> {
    if (this.#isIdle) return verifyEd25519Many(claims); // since the first parcel of the round
    this.#threads ??= Array.from({ length: this.#count }, () => this.#start());
    const thread = this.#threads.reduce((best, next) => (next.errands.length < best.errands.length ? next : best));
    const { promise, resolve } = Promise.withResolvers<readonly boolean[]>();
    thread.errands.push({ claims, resolve });
    const parcel = packClaims(claims);
    thread.worker.postMessage(parcel, [parcel.buffer]);
    this.#watch(thread);
    return promise;
  }

  #start(): Thread {
    const worker = this.#startWorker();
    const thread: Thread = { worker, errands: [], answered: 0, cancelLook: undefined };
    worker.onmessage = ({ data }: MessageEvent<unknown>): void => {
      const [errand] = thread.errands;
      const isAnswer = data instanceof Uint8Array && data.length === errand?.claims.length;
      if (!errand || !isAnswer) {
        this.#onFailure(thread, "garbled");
        return;
      }
      this.#barren = 0;
      thread.answered++;
      thread.errands.shift();
      if (thread.errands.length === 0) this.#unwatch(thread);
      errand.resolve(Array.from(data, (verdict) => verdict === 1));
    };
    worker.onerror = (): void => this.#onFailure(thread, "ended");
    worker.onmessageerror = (): void => this.#onFailure(thread, "garbled");
    worker.addEventListener("close", () => this.#onFailure(thread, "ended")); // it may end without an error
    return thread;
  }

  /** Looks after a while whether a thread that has something to answer has answered anything. */
  #watch(thread: Thread): void {
    if (thread.cancelLook) return;
    const { answered } = thread;
    thread.cancelLook = this.#timers.after(SILENT_MS, () => {
      thread.cancelLook = this.#timers.after(SECOND_LOOK_MS, () => {
        thread.cancelLook = undefined;
        if (thread.answered === answered) this.#onFailure(thread, "hung");
        else if (thread.errands.length > 0) this.#watch(thread);
      });
    });
  }

  #unwatch(thread: Thread): void {
    thread.cancelLook?.();
    thread.cancelLook = undefined;
  }

  /** Replaces a thread; what it was asked goes to the pool. */
  #onFailure(thread: Thread, fault: VerifyThreadFault): void {
    const at = this.#threads?.indexOf(thread) ?? -1;
    if (!this.#threads || at < 0) return; // it was retired before
    this.#failed[fault]++;
    if (thread.answered === 0) this.#barren++;
    if (this.#isIdle) for (const each of this.#threads.splice(0)) this.#retire(each);
    else {
      this.#threads[at] = this.#start();
      this.#retire(thread);
    }
  }

  #retire(thread: Thread): void {
    this.#unwatch(thread);
    thread.worker.terminate();
    for (const { claims, resolve } of thread.errands.splice(0)) resolve(verifyEd25519Many(claims));
  }
}

function startVerifyWorker(): Worker {
  return new Worker(workerUrl(), { name: "verify", smol: true, ref: false }); // the process may end without asking it
}

/** As for every worker: inside the compiled binary it keeps its place in the project, from source it is this file's neighbour. */
function workerUrl(): URL {
  const isCompiled = import.meta.url.includes("/$bunfs/");
  return new URL(isCompiled ? "./src/crypto/verify.worker.ts" : "./verify.worker.ts", import.meta.url);
}
