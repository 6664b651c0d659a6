import { bytesEqual, err, ok, type Result, toHex } from "../../../src/kernel/index.ts";
import { decodeOffer, decodeParcel, type EscrowParcel, type SyncRefusal, type VerifySignature } from "../../protocol/index.ts";
import type { AggregatorStore } from "../types.ts";
import type { Session } from "./sessions.ts";

/** An offer whose parcel was signed by the key that it names. */
export type OpenedOffer = { readonly session: Uint8Array; readonly parcel: EscrowParcel };

/**
 * Reads what a node offers of another's vital lane, and verifies that the other signed it.
 *
 * Errors: `malformed`, `badSignature`.
 */
export function openOffer(message: Uint8Array, verify: VerifySignature): Result<OpenedOffer, SyncRefusal> {
  const offer = decodeOffer(message);
  const parcel = offer.ok ? decodeParcel(offer.value.parcel, verify) : offer;
  if (!offer.ok || !parcel.ok) return err({ code: parcel.ok ? "malformed" : parcel.error, detail: "no parcel of another node" });
  return ok({ session: offer.value.session, parcel: parcel.value });
}

/**
 * The node that a parcel is of, as a session of its own for this one message; or why nothing is taken for it. The node that
 * offers and the one that it is of are of one network, so nothing comes from another.
 *
 * @param session of the node that offers
 */
export async function findOrigin(
  store: Pick<AggregatorStore, "findNode" | "holdings">,
  session: Session,
  parcel: EscrowParcel,
): Promise<Session | SyncRefusal> {
  const { node: name, network, identityKey } = parcel;
  if (!bytesEqual(network, session.network))
    return { code: "unknownNetwork", detail: `${toHex(network)} is not the network of who offers it` };
  const node = await store.findNode({ network: toHex(network), node: name });
  if (!node) return { code: "unknownNode", detail: `${name} is not enrolled` };
  if (node.status === "revoked") return { code: "revoked", detail: `${name} was revoked` };
  if (!bytesEqual(node.identityKey, identityKey)) return { code: "wrongNode", detail: `${name} has another identity` };
  const holdings = new Map((await store.holdings(node)).map((holding) => [holding.lane, holding]));
  return { ...session, node, extents: [], holdings, lines: new Map(), waiting: 0, lastHeartbeat: undefined };
}
