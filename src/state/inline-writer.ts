import type { Result } from "../kernel/index.ts";
import { type CheckpointFailure, type CheckpointJob, type CheckpointWriter, encodePart } from "./checkpoint.ts";
import { attempting, CheckpointFile, type FileSystem } from "./store.ts";

/** Writes checkpoints on the calling thread: for the simulator, tests and tools, where nobody waits meanwhile. */
export class InlineCheckpointWriter implements CheckpointWriter {
  readonly #fs: FileSystem;
  readonly #path: string;

  constructor(fs: FileSystem, path: string) {
    this.#fs = fs;
    this.#path = path;
  }

  async write({ mark, buckets }: CheckpointJob): Promise<Result<number, CheckpointFailure>> {
    const file = attempting(() => new CheckpointFile(this.#fs, this.#path, mark));
    if (!file.ok) return file;
    const written = attempting(() => {
      for (let part = encodePart(buckets, 0); part !== undefined; part = encodePart(buckets, part.next)) file.value.append(part.bytes);
      return file.value.finish();
    });
    if (!written.ok) attempting(() => file.value.abandon());
    return written;
  }
}
