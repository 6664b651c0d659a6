/** Thread that verifies signatures: a parcel of claims comes, their verdicts go back, one parcel after the other. */
import { getPriority, setPriority } from "node:os";
import { verifyParcel } from "./claim-parcel.ts";

/**
 * Steps of niceness below the thread that started this one. With as many of these threads as cores the consensus thread
 * would wait for its turn behind them; so it waits half as long, and they still get all that it leaves.
 */
const STEPS_BACK = 5;
/** The least urgent that a thread can be. */
const NICENESS_MAX = 19;

/** On Linux a process id of 0 names the calling thread alone; elsewhere it names the process, which stays as it is. */
function stepBack(): void {
  if (process.platform !== "linux") return;
  try {
    setPriority(0, Math.min(NICENESS_MAX, getPriority(0) + STEPS_BACK));
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error; // the system does not let us: verdicts come all the same
  }
}

stepBack();
addEventListener("message", (event: MessageEvent<Uint8Array<ArrayBuffer>>) => {
  const verdicts = verifyParcel(event.data);
  postMessage(verdicts, [verdicts.buffer]);
});
