import type { z } from "@hono/zod-openapi";
import { toHex } from "../../kernel/index.ts";
import { encodeProofBundle, type FinalHeaders, formatAddress, type ProofBundle, type ProofContent } from "../../protocol/index.ts";
import type { proofSchema } from "../schemas/proof.ts";
import { renderCertificate, renderHeader, renderReceipt } from "./render.ts";

type ProofJson = z.input<typeof proofSchema>;

/** A proof bundle in JSON: every part readable, and the canonical encoding of the whole. */
export function renderProof(bundle: ProofBundle): ProofJson {
  const hops = bundle.hops.map((hop) => ({
    ...renderFinalHeaders(hop),
    nextSet: hop.nextSet.validators.map(({ publicKey, owner, weight, reputation }) => ({
      publicKey: toHex(publicKey),
      owner: formatAddress(owner),
      weight: String(weight),
      reputation,
    })),
  }));
  return { hops, ...renderFinalHeaders(bundle), content: renderContent(bundle.content), bundle: toHex(encodeProofBundle(bundle)) };
}

function renderFinalHeaders({ headers, finalization }: FinalHeaders) {
  return { headers: headers.map(renderHeader), finalization: renderCertificate(finalization) };
}

function renderContent(content: ProofContent): ProofJson["content"] {
  if (content.kind === "receipt") {
    return { kind: "receipt", receipt: renderReceipt(content.receipt), path: content.path.map(toHex) };
  }
  const { key, count, bucketRoot, witnesses, bucketPath } = content.proof;
  return {
    kind: "state",
    key: toHex(key),
    count,
    bucketRoot: toHex(bucketRoot),
    witnesses: witnesses.map((witness) => ({
      index: witness.index,
      key: toHex(witness.key),
      value: toHex(witness.value),
      path: witness.path.map(toHex),
    })),
    bucketPath: bucketPath.map(toHex),
  };
}
