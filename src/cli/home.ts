import { join } from "node:path";
import { HOME, systemEntropy, writeNewFile } from "../node/index.ts";
import { nodeFileSystem } from "../storage/index.ts";
import { createJournal } from "../validator/index.ts";
import { CommandFailure } from "./command.ts";

/** Writes a file for its owner's eyes alone; an existing one stops the command and is left as it is. */
export function writeNew(path: string, content: string | Uint8Array): void {
  if (writeNewFile(path, content)) return;
  throw new CommandFailure(
    `expected no file at ${path}, but there is one; it is left as it is. Choose another place, or move it away first`,
  );
}

/** Makes the journal that belongs to a new validator key. Nothing else ever makes one (J7). */
export function createHomeJournal(home: string, publicKey: Uint8Array): void {
  createJournal({ fs: nodeFileSystem, directory: join(home, HOME.journal), entropy: systemEntropy }, publicKey);
}
