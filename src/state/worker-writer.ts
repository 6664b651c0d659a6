import type { Result } from "../kernel/index.ts";
import { type CheckpointFailure, type CheckpointJob, type CheckpointWriter, encodePart } from "./checkpoint.ts";
import type { FromWorker, ToWorker } from "./worker-messages.ts";

/**
 * Writes checkpoints in a thread of their own, started for each one: between two of them nothing is kept in memory. The
 * calling thread copies a part of about a megabyte each time the worker asks, some 0.3 ms.
 */
export class WorkerCheckpointWriter implements CheckpointWriter {
  readonly #path: string;

  /** @param path of the checkpoint file, on this machine's disk */
  constructor(path: string) {
    this.#path = path;
  }

  write({ mark, buckets }: CheckpointJob): Promise<Result<number, CheckpointFailure>> {
    const { promise, resolve, reject } = Promise.withResolvers<Result<number, CheckpointFailure>>();
    const worker = new Worker(workerUrl(), { name: "checkpoint", smol: true });
    const send = (message: ToWorker, transfer: Transferable[] = []): void => worker.postMessage(message, transfer);
    let next = 0;
    worker.onmessage = (event: MessageEvent<FromWorker>): void => {
      if (event.data.kind === "done") {
        resolve(event.data.outcome);
        return;
      }
      const part = encodePart(buckets, next);
      if (part === undefined) send({ kind: "end" });
      else {
        next = part.next;
        send({ kind: "part", bytes: part.bytes }, [part.bytes.buffer]);
      }
    };
    worker.onerror = (event: ErrorEvent): void => reject(new Error(`the checkpoint worker failed: ${event.message}`));
    send({ kind: "begin", path: this.#path, mark });
    return promise.finally(() => worker.terminate());
  }
}

/**
 * Inside the compiled binary every module lies in one file at its root, and extra entry points keep their place in the
 * project beside it; run from source, the worker is this file's neighbour.
 */
function workerUrl(): URL {
  const isCompiled = import.meta.url.includes("/$bunfs/");
  return new URL(isCompiled ? "./src/state/checkpoint.worker.ts" : "./checkpoint.worker.ts", import.meta.url);
}
