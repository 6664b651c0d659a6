import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Signer, verifyEd25519 } from "../../../src/crypto/index.ts";
import { parseKeyFile, unlockKeyFile } from "../../../src/identity/index.ts";
import { silentLog } from "../../../src/kernel/index.ts";
import { Network, parsePeerAddress } from "../../../src/network/index.ts";
import { systemClock, systemEntropy, systemTimers } from "../../../src/node/ports.ts";
import { VOTE_KIND, type VoteStatement, voteSignBytes } from "../../../src/protocol/index.ts";

/** What a second box with a validator's key needs to know. */
export type ForswornPlan = {
  readonly home: string;
  readonly chainId: Buffer;
  /** Addresses of the others, `KEY@host:port`. */
  readonly peers: readonly string[];
  /** The validator's place in the set. */
  readonly seat: number;
  /** A view that the others take votes for. */
  readonly view: number;
};

/**
 * A second box with a validator's key that keeps none of the rules: to whoever it reaches it says that it notarized two
 * blocks in one view. It stands for a copy that was forced past every check, which the program itself does not allow.
 */
export class ForswornBox {
  readonly #network: Network;

  private constructor(network: Network) {
    this.#network = network;
  }

  /** Unlocks the key of the home and connects. */
  static async start(plan: ForswornPlan): Promise<ForswornBox> {
    const signer = await unlock(plan.home);
    const statements = [1, 2].map(() => ({ kind: VOTE_KIND.notarize, epoch: 0, view: plan.view, proposalId: randomBytes(32) }));
    const votes = statements.map((statement: VoteStatement) => {
      const signature = signer.sign(voteSignBytes(plan.chainId, statement));
      return { ...statement, signer: plan.seat, signature };
    });
    const network = new Network(
      {
        identity: { kind: "validator", signer },
        chainId: plan.chainId,
        listen: undefined,
        peers: plan.peers.flatMap((text) => {
          const address = parsePeerAddress(text);
          return address.ok ? [address.value] : [];
        }),
        allow: [],
        observersMax: 0,
        software: "forsworn/1",
      },
      {
        clock: systemClock,
        timers: systemTimers,
        entropy: systemEntropy,
        log: silentLog,
        isValidator: () => true,
        ownTip: () => undefined,
        tips: { chainId: plan.chainId, findEpochSet: () => undefined, isFinalHere: () => false, verify: verifyEd25519 },
        answers: { findProof: () => undefined, findFinalBlock: () => undefined },
        onPeerUp: (peer) => {
          for (const vote of votes) network.consensusPort(() => {}).send(peer, { kind: "vote", vote });
        },
        onPeerDown() {},
        onMessage() {},
        onBatchMessage() {},
        onBatchRoom() {},
      },
    );
    await network.start();
    return new ForswornBox(network);
  }

  /** Takes it from the network. */
  kill(): Promise<void> {
    return this.#network.stop();
  }
}

async function unlock(home: string): Promise<Signer> {
  const key = parseKeyFile(readFileSync(join(home, "keys/validator.json"), "utf8"));
  if (!key.ok) throw new Error(key.error.detail);
  const signer = await unlockKeyFile(key.value, readFileSync(join(home, "keys/passphrase"), "utf8").trim());
  if (!signer.ok) throw new Error(signer.error.detail);
  return signer.value;
}
