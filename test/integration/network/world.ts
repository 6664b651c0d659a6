import type { Message, PeerId } from "../../../src/consensus/index.ts";
import { localSigner, type Signer, verifyEd25519 } from "../../../src/crypto/index.ts";
import { present, silentLog, toHex } from "../../../src/kernel/index.ts";
import { Network, type NetworkOptions, type NetworkPorts, type PeerAddress, parsePeerAddress } from "../../../src/network/index.ts";
import { systemClock, systemEntropy, systemTimers } from "../../../src/node/ports.ts";

/** Short waits, so that tests of loss and return take moments. */
export const QUICK_TIMES = { helloMs: 5_000, pingMs: 3_000, guestMs: 500, firstMs: 20, maxMs: 200, refusedMs: 200 } as const;

/** The chain of these tests. */
export const CHAIN_ID = new Uint8Array(32).fill(7);

/** A network with a record of all that it told. */
export type Member = {
  readonly id: PeerId;
  readonly signer: Signer;
  readonly network: Network;
  readonly up: PeerId[];
  readonly downs: PeerId[];
  readonly messages: { readonly from: PeerId; readonly message: Message }[];
  readonly batches: { readonly from: PeerId; readonly payload: Uint8Array }[];
  /** The address to dial it at. */
  address(): string;
};

/** What a member differs in. */
export type MemberOptions = {
  readonly seed: number;
  readonly validators: ReadonlySet<string>;
  readonly peers?: readonly string[];
  readonly port?: number;
  readonly options?: Partial<NetworkOptions>;
  readonly ports?: Partial<NetworkPorts>;
};

/** The signer of a numbered validator. */
export function signerOf(seed: number): Signer {
  return localSigner(new Uint8Array(32).fill(seed));
}

/** Keys, hex, of numbered validators. */
export function validatorsOf(...seeds: readonly number[]): Set<string> {
  return new Set(seeds.map((seed) => toHex(signerOf(seed).publicKey)));
}

/** Starts a network on loopback, on a free port unless told otherwise. */
export async function startMember({ seed, validators, peers = [], port = 0, options, ports }: MemberOptions): Promise<Member> {
  const signer = signerOf(seed);
  const record = { up: [] as PeerId[], downs: [] as PeerId[], messages: [] as Member["messages"], batches: [] as Member["batches"] };
  const network = new Network(
    {
      identity: { kind: "validator", signer },
      chainId: CHAIN_ID,
      listen: { host: "127.0.0.1", port },
      peers: peers.map(addressOf),
      allow: [],
      observersMax: 4,
      software: "bizra/test",
      times: QUICK_TIMES,
      ...options,
    },
    {
      clock: systemClock,
      timers: systemTimers,
      entropy: systemEntropy,
      log: silentLog,
      isValidator: (key) => validators.has(toHex(key)),
      ownTip: () => undefined,
      tips: { chainId: CHAIN_ID, findEpochSet: () => undefined, isFinalHere: () => false, verify: verifyEd25519 },
      answers: { findProof: () => undefined, findFinalBlock: () => undefined },
      onPeerUp: (peer) => void record.up.push(peer),
      onPeerDown: (peer) => {
        record.downs.push(peer);
        record.up.splice(record.up.indexOf(peer), 1);
      },
      onMessage: (from, message) => void record.messages.push({ from, message }),
      onBatchMessage: (from, payload) => void record.batches.push({ from, payload }),
      onBatchRoom() {},
      ...ports,
    },
  );
  await network.start();
  const address = (): string => {
    const first = network.addresses.find((text) => text.includes("/tcp/"));
    return `127.0.0.1:${present(first, "it listens").split("/")[4]}`;
  };
  return { id: toHex(signer.publicKey), signer, network, address, ...record };
}

/** An address as the configuration would give it. */
export function addressOf(text: string): PeerAddress {
  const parsed = parsePeerAddress(text);
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}

/** Waits until a condition holds, asked each few milliseconds; fails with what was awaited after `withinMs`. */
export async function until(what: string, holds: () => boolean, withinMs = 90_000): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + withinMs;
  while (!holds()) {
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise<void>((resolve) => void systemTimers.after(5, resolve));
  }
}
