/** Thread that verifies signatures: a parcel of claims comes, their verdicts go back, one parcel after the other. */
import { verifyParcel } from "./claim-parcel.ts";

addEventListener("message", (event: MessageEvent<Uint8Array<ArrayBuffer>>) => {
  const verdicts = verifyParcel(event.data);
  postMessage(verdicts, [verdicts.buffer]);
});
