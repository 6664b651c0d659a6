import type { Result } from "../kernel/index.ts";
import type { CheckpointFailure, CheckpointMark } from "./checkpoint.ts";

/** To the worker: begin this checkpoint; here is the next part; that was the last. */
export type ToWorker =
  | { readonly kind: "begin"; readonly path: string; readonly mark: CheckpointMark }
  | { readonly kind: "part"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "end" };

/** From the worker: send the next part; or the outcome, with the bytes written, after which it is of no more use. */
export type FromWorker = { readonly kind: "next" } | { readonly kind: "done"; readonly outcome: Result<number, CheckpointFailure> };
