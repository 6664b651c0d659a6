import { assert } from "../kernel/index.ts";
import { isPackable, packClaims } from "./claim-parcel.ts";
import { type SignatureClaim, verifyEd25519Many } from "./ed25519.ts";

/** Fewer claims than this go to the runtime's pool, one by one: it answers sooner, and idle boxes start no threads. */
const CLAIMS_MIN = 32;
/** Claims of a parcel: at most some three milliseconds of a thread, so that none is late with its part of a round. */
const PARCEL_CLAIMS = { min: 16, max: 64 } as const;

/** A parcel under way. */
type Errand = {
  readonly claims: readonly SignatureClaim[];
  readonly resolve: (verdicts: readonly boolean[] | Promise<readonly boolean[]>) => void;
};

/** A thread and what it has not answered, oldest first: it answers in order. */
type Thread = { readonly worker: Worker; readonly errands: Errand[] };

/**
 * Verifies many signatures at a time on threads of its own. Beside `verifyEd25519Many`, which hands each claim to the
 * runtime's pool by a promise, this takes a tenth of the calling thread's time (0.3 to 0.7 instead of 4 to 5 microseconds
 * a claim) and a tenth less in all, for some 8 MB a thread. The threads start with the first round worth it and stay.
 *
 * A thread that fails, ends or answers anything but a verdict for each claim, for want of memory say, is not tried again: the
 * runtime's pool takes over, and verifies anew what that thread was asked. Only a thread's word for a claim passes it.
 */
export class VerifyThreads {
  readonly #count: number;
  readonly #startWorker: () => Worker;
  #threads: Thread[] | undefined;
  #hasFailed = false;

  /**
   * @param count of threads, at least 1: one for each core that may work on signatures
   * @param startWorker makes a thread; tests have some that fail
   */
  constructor(count: number, startWorker: () => Worker = startVerifyWorker) {
    assert(Number.isInteger(count) && count >= 1, "somebody verifies");
    this.#count = count;
    this.#startWorker = startWorker;
  }

  /** The verdicts of `verifyEd25519` on these claims, in their order. The arrays must not be written until the promise settles. */
  async verifyMany(claims: readonly SignatureClaim[]): Promise<readonly boolean[]> {
    if (claims.length < CLAIMS_MIN || this.#hasFailed || !claims.every(isPackable)) return verifyEd25519Many(claims);
    const size = Math.min(PARCEL_CLAIMS.max, Math.max(PARCEL_CLAIMS.min, Math.ceil(claims.length / this.#count)));
    const parcels: Promise<readonly boolean[]>[] = [];
    for (let start = 0; start < claims.length; start += size) parcels.push(this.#send(claims.slice(start, start + size)));
    return (await Promise.all(parcels)).flat();
  }

  /** Ends the threads; what is under way goes on in the pool. */
  stop(): void {
    this.#hasFailed = true;
    for (const thread of this.#threads ?? []) this.#retire(thread);
  }

  #send(claims: readonly SignatureClaim[]): Promise<readonly boolean[]> {
    this.#threads ??= Array.from({ length: this.#count }, () => this.#start());
    const thread = this.#threads.reduce((best, next) => (next.errands.length < best.errands.length ? next : best));
    const { promise, resolve } = Promise.withResolvers<readonly boolean[]>();
    thread.errands.push({ claims, resolve });
    const parcel = packClaims(claims);
    thread.worker.postMessage(parcel, [parcel.buffer]);
    return promise;
  }

  #start(): Thread {
    const worker = this.#startWorker();
    const thread: Thread = { worker, errands: [] };
    worker.onmessage = ({ data }: MessageEvent<unknown>): void => {
      const [errand] = thread.errands;
      const isAnswer = data instanceof Uint8Array && data.length === errand?.claims.length;
      if (!errand || !isAnswer) {
        this.#onFailure(thread);
        return;
      }
      thread.errands.shift();
      errand.resolve(Array.from(data, (verdict) => verdict === 1));
    };
    worker.onerror = (): void => this.#onFailure(thread);
    worker.onmessageerror = (): void => this.#onFailure(thread);
    worker.addEventListener("close", () => this.#onFailure(thread)); // it may end without an error
    return thread;
  }

  #onFailure(thread: Thread): void {
    this.#hasFailed = true;
    this.#retire(thread);
  }

  #retire({ worker, errands }: Thread): void {
    worker.terminate();
    for (const { claims, resolve } of errands.splice(0)) resolve(verifyEd25519Many(claims));
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
