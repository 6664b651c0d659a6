import { bytesEqual, type Result, toHex } from "../kernel/index.ts";
import type { Carrier } from "./carrier.ts";

/** Why a question over a stream has no answer: `refused` with the code of the refusal, `pruned` where the node keeps it no longer. */
export type StreamFault =
  | "notFound"
  | "malformed"
  | "busy"
  | "unreachable"
  | "timeout"
  | { readonly refused: string }
  | { readonly pruned: object };

/**
 * Questions to a node over libp2p streams, such as WebRTC ones: one request and one answer on each.
 *
 * @see docs/network.md, For outside peers
 */
export interface NodeStreams {
  /** Asks `/bizra/1/submit` with a COSE_Sign1; the answer is the id that the node took it under. */
  submit(encoded: Uint8Array): Promise<Result<Uint8Array, StreamFault>>;
  /** Asks `/bizra/1/proof` for a transaction's proof bundle. */
  proof(id: Uint8Array): Promise<Result<Uint8Array, StreamFault>>;
}

/** The carrier over opened streams. A node that names another id than the bytes' own is believed nothing. */
export function streamCarrier(streams: NodeStreams, name = "WebRTC"): Carrier {
  return {
    name,
    async submit({ id, encoded }) {
      const taken = await streams.submit(encoded);
      if (taken.ok) {
        if (bytesEqual(taken.value, id)) return { kind: "accepted" };
        return { kind: "noAnswer", detail: `the node named another transaction than the one that was sent (${toHex(taken.value)})` };
      }
      const { error } = taken;
      if (typeof error === "string" || !("refused" in error)) return { kind: "noAnswer", detail: detailOf(error) };
      const { refused: code } = error;
      return code === "duplicate" ? { kind: "executed" } : { kind: "refused", code, detail: code };
    },
    async lookUp(id) {
      const proof = await streams.proof(id);
      if (proof.ok) return { kind: "proof", bundle: proof.value };
      if (proof.error === "notFound") return { kind: "unproven" };
      return { kind: "noAnswer", detail: detailOf(proof.error) };
    },
  };
}

function detailOf(fault: StreamFault): string {
  if (typeof fault === "string") return fault;
  return "refused" in fault ? fault.refused : "the node keeps what was asked for no longer";
}
