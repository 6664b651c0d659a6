/**
 * Thread that writes one checkpoint: parts come one by one as it asks for them, so a message is never waiting and the
 * disk, however slow, holds up nobody else.
 */
import { err, ok, present } from "../kernel/index.ts";
import { attempting, CheckpointFile, nodeFileSystem } from "./store.ts";
import type { FromWorker, ToWorker } from "./worker-messages.ts";

let file: CheckpointFile | undefined;

addEventListener("message", (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  const step = attempting(() => {
    if (message.kind === "begin") file = new CheckpointFile(nodeFileSystem, message.path, message.mark);
    else if (message.kind === "part") openFile().append(message.bytes);
    else return openFile().finish();
    return undefined;
  });
  if (!step.ok) send({ kind: "done", outcome: err(step.error) });
  else if (step.value === undefined) send({ kind: "next" });
  else send({ kind: "done", outcome: ok(step.value) });
});

function openFile(): CheckpointFile {
  return present(file, "a checkpoint begins before its parts come");
}

function send(message: FromWorker): void {
  postMessage(message);
}
