import type { FinalizedBlock, Message, TimerProfile } from "../../src/consensus/index.ts";
import type { CryptoSuite } from "../../src/crypto/index.ts";
import { bytesEqual } from "../../src/kernel/index.ts";
import { checkEvidence, decodeEvidence, epochOfEvidence } from "../../src/protocol/index.ts";
import type { ChainRules } from "./chain-model.ts";
import { Ballots } from "./oracle/ballots.ts";
import { ChainCheck, type Reexecution } from "./oracle/chain-check.ts";
import { DiskCheck } from "./oracle/disk-check.ts";
import { Judge, type Rules } from "./oracle/judge.ts";
import { ProgressCheck } from "./oracle/progress-check.ts";
import { TrafficCheck } from "./oracle/traffic-check.ts";
import type { SimNode } from "./sim-node.ts";

/** Looks at a run from outside on behalf of a light client (S15); gives what it found wrong. */
export type LightClientCheck = (nodes: readonly SimNode[]) => readonly string[];

/** A box's memory is counted at every so many events. */
const MEMORY_EVERY = 64;

/**
 * Judges a run from outside, by what left the boxes, what lies on their disks and what they committed, never by asking
 * the code under test whether it is right. Each finding names the property of docs/consensus.md that broke.
 */
export class Oracle {
  readonly judge = new Judge();
  readonly ballots: Ballots;
  /** Pieces of evidence against traitors. */
  convictedCount = 0;
  /** Votes that left honest boxes, repeats and copies counted. */
  voteCount = 0;
  /** Boxes looked at after an event. */
  observationCount = 0;
  lightClient: LightClientCheck | undefined;
  readonly #rules: Rules;
  readonly #chain: ChainCheck;
  readonly #disk: DiskCheck;
  readonly #progress: ProgressCheck;
  readonly #traffic: TrafficCheck;

  constructor(rules: ChainRules, suite: CryptoSuite, reexecution?: Reexecution) {
    this.#rules = { ...rules, suite };
    this.ballots = new Ballots(this.#rules);
    this.#chain = new ChainCheck(this.#rules, this.judge, reexecution);
    this.#disk = new DiskCheck(this.#rules, this.judge, (node, certificate) => this.#hold(node, certificate));
    this.#progress = new ProgressCheck(this.#rules, this.judge);
    this.#traffic = new TrafficCheck(this.judge);
  }

  /** What is wrong so far, a sentence each. */
  get findings(): readonly string[] {
    return this.judge.findings;
  }

  /** A message is about to leave a box. */
  onSent(node: SimNode, to: string, message: Message, bytes: number): void {
    this.#hear(node, message);
    if (node.tamper) return;
    this.#traffic.onSent(node, to, message, bytes);
    if (!node.hasLyingDisk) this.#disk.onSent(node, message);
    if (message.kind !== "vote") return;
    this.voteCount++;
    this.#progress.onVote(node, message.vote);
  }

  /** Final blocks are about to be committed by a box. */
  onCommit(node: SimNode, blocks: readonly FinalizedBlock[]): void {
    for (const { block, finalization } of blocks) {
      this.#hold(node, finalization);
      if (block.parentCertificate) this.#hold(node, block.parentCertificate);
    }
    if (!node.isFaulty && !node.hasLyingDisk) this.#disk.onCommit(node, blocks);
  }

  /** Looks at one box after an event. */
  observe(node: SimNode): void {
    if (node.tamper) return;
    this.observationCount++;
    this.#chain.observe(node);
    const status = node.status();
    if (!status) return;
    for (const certificate of status.certificates) this.#hold(node, certificate);
    this.#progress.observe(node, status);
    const held = this.observationCount % MEMORY_EVERY === 0 ? node.loop?.held() : undefined;
    if (held) this.#progress.observeMemory(node, status, held);
  }

  /** Judges what only the whole shows: votes, ancestry, execution, traffic. May be called again later in the run. */
  conclude(nodes: readonly SimNode[], elapsedMs: number, profile: TimerProfile): void {
    const isFaulty = (publicKey: Uint8Array): boolean => nodes.some((node) => node.isFaulty && bytesEqual(node.key.publicKey, publicKey));
    const honest = nodes.filter((node) => !node.tamper);
    for (const node of honest) this.#disk.refresh(node);
    this.ballots.conclude(this.judge, isFaulty);
    this.#chain.conclude(this.ballots);
    for (const node of honest) this.#chain.concludeNode(node);
    this.#traffic.conclude(honest, elapsedMs, profile);
    for (const sentence of this.lightClient?.(nodes) ?? []) this.judge.find("S15", sentence);
  }

  /** S14: evidence that an honest box found convicts no honest box. */
  judgeEvidence(finder: SimNode, all: readonly SimNode[], encoded: Uint8Array): void {
    const evidence = decodeEvidence(encoded);
    if (!evidence.ok) {
      this.judge.find("S14", `${finder.name}: evidence does not decode`);
      return;
    }
    const { chainId, setOf, suite } = this.#rules;
    const set = setOf(epochOfEvidence(evidence.value));
    const verdict = checkEvidence(evidence.value, set, chainId, suite);
    const accused = verdict.ok ? set.validators[verdict.value.signer] : undefined;
    const node = accused && all.find((each) => bytesEqual(each.key.publicKey, accused.publicKey));
    if (!node) this.judge.find("S14", `${finder.name}: evidence convicts nobody`);
    else if (node.isFaulty || node.hasLyingDisk) this.convictedCount++;
    else this.judge.find("S14", `${node.name}: an honest box is convicted`);
  }

  /** S7: a certificate that an honest box holds or sends is sound. */
  #hold(node: SimNode, certificate: FinalizedBlock["finalization"]): void {
    const fault = this.ballots.hearCertificate(certificate);
    if (fault && !node.tamper) this.judge.find("S7", `${node.name}: holds or sends a certificate, of which ${fault}`);
  }

  #hear(node: SimNode, message: Message): void {
    switch (message.kind) {
      case "vote":
        this.ballots.hearVote(message.vote);
        return;
      case "proposal":
        if (message.leaderVote) this.ballots.hearVote(message.leaderVote);
        for (const certificate of message.nullifications) this.#hold(node, certificate);
        return;
      case "certificates":
        for (const certificate of message.certificates) this.#hold(node, certificate);
        return;
      case "finalBlocks":
        this.#hold(node, message.finalization);
        return;
      case "hello":
        for (const vote of message.votes) this.ballots.hearVote(vote);
        return;
      case "helloAnswer":
        for (const vote of message.votesOfYours) this.ballots.hearVote(vote);
        return;
      case "recoveryAnswer":
        for (const certificate of [message.opening, message.highest]) if (certificate) this.#hold(node, certificate);
        return;
      case "fetch":
      case "block":
      case "recoveryRequest":
        return;
    }
  }
}
