import { readFileSync } from "node:fs";
import { localSigner, parsePkcs8Pem } from "../../crypto/index.ts";
import { concatBytes, parseHex, utf8 } from "../../kernel/index.ts";
import { formatAddress, signTransaction, transactionAad } from "../../protocol/index.ts";
import { NodeClient, textOf, wideOf } from "../client.ts";
import { CommandFailure } from "../command.ts";

/** Transactions that a start submits to show that the network works. */
const COUNT = 3;

/** What became of the demo's transactions. */
export type TrafficOutcome = { readonly ids: readonly string[]; readonly height: bigint };

/** Signs and submits a few anchors with the demo's own account and waits until they are final. */
export async function runDemoTraffic(http: string, keyPath: string): Promise<TrafficOutcome> {
  const client = new NodeClient(http);
  const seed = parsePkcs8Pem(readFileSync(keyPath, "utf8"));
  if (!seed.ok) throw new CommandFailure(`expected the demo's key at ${keyPath}; run with --fresh to begin anew`);
  const signer = localSigner(seed.value);
  const status = await client.get("/api/v2/status");
  const aad = transactionAad(parseHex(textOf(status, "genesisHash")) ?? new Uint8Array(32));
  const nonce = wideOf(await client.get(`/api/v2/accounts/${formatAddress(signer.publicKey)}`), "pendingNonce");
  const signed = Array.from({ length: COUNT }, (_, i) =>
    signTransaction(signer, aad, {
      sender: signer.publicKey,
      nonce: nonce + BigInt(i),
      fee: wideOf(status, "minimumFee"),
      validUntil: wideOf(status, "height") + 1_000n,
      body: { type: 2, stream: "demo/temperature", content: { data: utf8(`${20 + i}.5 C`) } },
    }),
  );
  const answer = await client.submit(concatBytes(...signed), "application/cbor-seq");
  if (!answer.ok) throw new CommandFailure(`the demo's transactions were refused: ${answer.error.detail} (${answer.error.code})`);
  const list = answer.value["transactions"];
  const ids = Array.isArray(list) ? list.map((item) => textOf(item, "id")) : [];
  let height = 0n;
  for (const id of ids) {
    const ended = await client.get(`/api/v2/transactions/${id}?wait=final&timeoutMs=30000`);
    if (ended["status"] !== "final")
      throw new CommandFailure(`the demo's transaction ${id} is ${String(ended["status"])} after 30 s; see the node's log`);
    height = wideOf(ended, "height");
  }
  return { ids, height };
}
