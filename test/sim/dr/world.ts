import { compareRounds, type Round } from "../../../src/consensus/rounds.ts";
import { sha256 } from "../../../src/crypto/index.ts";
import { bytesEqual, Prng, present, toHex, utf8 } from "../../../src/kernel/index.ts";
import { VOTE_KIND, type VoteStatement } from "../../../src/protocol/index.ts";
import type { Hardware, VoteKey } from "../../../src/validator/index.ts";
import { newestUntil, planRetention } from "../../../sync/restore/index.ts";
import { StandInKeys } from "../keys.ts";
import { type DiskImage, DrBox } from "./box.ts";
import { Court } from "./court.ts";
import type { DrMutant } from "./mutants.ts";
import type { DrOutcome } from "./outcome.ts";

const VALIDATORS = 4;
const QUORUM = 3;
const MINUTE_MS = 60_000;

type Certificate = Round & { readonly isBoundary: boolean };
type Backup = { readonly name: string; readonly node: string; readonly takenAtMs: number; readonly height: number };

/**
 * A network of four validators whose boxes crash, are lost, come back late, are restored from any backup and replaced, by one
 * seed. Keys, journals, guard, gate and choice of backup are the product's own; agreement is reduced to what custody of keys
 * depends on: a view is entered with the certificate of the one before, and one is made of votes of a quorum.
 */
export class DrWorld {
  readonly #court = new Court();
  readonly #prng: Prng;
  readonly #seed: number;
  readonly #mutant: DrMutant | undefined;
  readonly #keys = new StandInKeys();
  /** Keys of each epoch, by validator. */
  readonly #epochs: VoteKey[][] = [];
  /** Certificates of the chain in order; each box knows a prefix. */
  readonly #certificates: Certificate[] = [];
  /** Keys that owners have asked for, by validator: the last one counts (its term is higher). */
  readonly #rotations = new Map<number, VoteKey>();
  readonly #boxes: DrBox[] = [];
  #backups: Backup[] = [];
  /** Old disks, the newest last. */
  #images: { readonly box: DrBox; readonly image: DiskImage }[] = [];
  /** Records of each box's vital lane that an aggregator has acknowledged. */
  readonly #acknowledged = new Map<DrBox, number>();
  readonly #counts = { restores: 0, rotations: 0, crashes: 0, copies: 0, moves: 0, rollbacks: 0, restaffings: 0, names: 0 };
  #nowMs = 0;
  /** Whom votes reach while a fault is aimed; undefined for whom chance has it. */
  #audience: ReadonlySet<DrBox> | undefined;

  constructor(seed: number, mutant?: DrMutant) {
    this.#seed = seed;
    this.#mutant = mutant;
    this.#prng = new Prng(seed * 2_654_435_761 + 99);
    this.#epochs.push(Array.from({ length: VALIDATORS }, (_, validator) => this.#makeBox(validator, 0).key));
    for (const box of this.#boxes) this.#start(box);
  }

  /** Runs so many steps, after every so many of them most keys change, then lets everything heal and looks whether the chain moves. */
  run(steps: number, restaffEvery = Number.POSITIVE_INFINITY): DrOutcome {
    for (let step = 1; step <= steps && this.#court.findings.length === 0; step++) {
      this.#step();
      if (step % restaffEvery === 0) this.#restaff();
    }
    const isLive = this.#court.findings.length > 0 || this.#heal();
    const { names: _, ...counts } = this.#counts;
    return { findings: this.#court.findings, signatures: this.#court.signatures, ...counts, isLive };
  }

  #step(): void {
    this.#nowMs += this.#prng.below(MINUTE_MS);
    const box = this.#pick(this.#boxes);
    const draw = this.#prng.below(1_000);
    if (draw < 770) this.#act(box);
    else if (draw < 870) this.#gossip(box);
    else if (draw < 910) this.#powerOff(box);
    else if (draw < 930) box.isConnected = this.#prng.chance(0.5);
    else if (draw < 940) box.wallOffsetMs += (this.#prng.below(20) - 10) * 60 * MINUTE_MS;
    else if (draw < 957) this.#backUp(box);
    else if (draw < 971) this.#restore();
    else if (draw < 977) this.#loseJournal(box);
    else if (draw < 983) this.#twin(box);
    else if (draw < 986) this.#copyElsewhere(box);
    else if (draw < 992) this.#move(box);
    else if (draw < 997) this.#rollBack();
    else this.#exchangePart(box);
  }

  // Boxes

  #makeBox(validator: number, known: number): DrBox {
    const name = `box ${this.#counts.names++}`;
    const box = this.#newBox(name, validator, this.#keys.make(`${this.#seed} ${name}`), known, this.#newHardware());
    this.#boxes.push(box);
    return box;
  }

  #newBox(name: string, validator: number, key: DrBox["key"], known: number, hardware: Hardware): DrBox {
    return new DrBox({ name, validator, key, suite: this.#keys.suite, hardware, seed: this.#prng.uint32(), known });
  }

  /** A machine that none before was. */
  #newHardware(): Hardware {
    const part = (): readonly string[] => [String(this.#prng.uint32())];
    return { machineId: part(), productUuid: part(), disks: part(), cards: part() };
  }

  #start(box: DrBox): void {
    const neglect = { ignoresBinding: this.#mutant === "ignoresBinding", ignoresExport: this.#mutant === "exporterSigns" };
    const before = box.laneRecords;
    box.start((round) => this.#indexOf(round), neglect);
    this.#askAggregator(box, before);
  }

  /** DR-9: an aggregator that holds records which the box had not before this start has another history of it. */
  #askAggregator(box: DrBox, before: number): void {
    if (box.isObserver) return;
    const held = this.#acknowledged.get(box) ?? 0;
    const isHeeded = this.#mutant !== "ignoresAggregator" && this.#mutant !== "restoresJournal";
    if (held > before && isHeeded) box.onLaneAhead(held);
    if (this.#prng.chance(0.8)) this.#acknowledged.set(box, Math.max(held, box.laneRecords));
  }

  /** Off or on: one that is off comes back whenever it does, also when it was replaced meanwhile (a fence that came late). */
  #powerOff(box: DrBox): void {
    if (!box.isUp) {
      this.#start(box);
      return;
    }
    this.#counts.crashes++;
    box.crash();
  }

  /** What a box does when it is its turn: greets, recovers, or votes. */
  #act(box: DrBox): void {
    if (!box.isUp || !box.isConnected || box.isObserver) return;
    const epoch = this.#roundAfter(box.known).epoch;
    if (this.#seatOf(box, epoch) === undefined) return; // in no set: it follows
    if (this.#mutant === "carriesGate" && !box.isRecovering && box.mustAsk(epoch)) box.carryGate(epoch);
    if (box.mustAsk(epoch)) this.#recover(box, epoch);
    else if (box.isGreeted || this.#greet(box, epoch)) this.#vote(box);
  }

  /** R15, DR-4, DR-9: others of weight Q minus our own have answered, show what they saw of us and how far the chain is. */
  #greet(box: DrBox, epoch: number): boolean {
    const answering = this.#answering(box, epoch);
    if (answering.length < QUORUM - 1) return false;
    for (const peer of answering) {
      box.known = Math.max(box.known, peer.known);
      for (const votes of peer.seen.values()) {
        for (const vote of votes.get(toHex(box.key.publicKey)) ?? []) box.onOwnVoteShown(vote, this.#certificates[box.known - 1]);
      }
    }
    box.isGreeted = !box.isRecovering;
    return box.isGreeted && this.#roundAfter(box.known).epoch === epoch;
  }

  /** R14, DR-7: the gate follows from 2F+1 others in the set of its epoch that are not recovering themselves, whenever each answered. */
  #recover(box: DrBox, epoch: number): void {
    for (const peer of this.#answering(box, epoch).filter((one) => !one.isRecovering)) {
      const key = toHex(peer.key.publicKey);
      if (this.#roundAfter(peer.known).epoch > epoch) box.known = Math.max(box.known, peer.known);
      else if (!box.answers.has(key)) box.answers.set(key, peer.known);
    }
    const own = this.#roundAfter(box.known);
    const answers = (this.#epochs[epoch] ?? []).flatMap((key) => box.answers.get(toHex(key.publicKey)) ?? []);
    if (answers.length < VALIDATORS - 1 || own.epoch !== epoch) return; // an epoch that was not reached is caught up with first
    const shown = answers.map((known) => this.#roundAfter(known)).map((round) => (round.epoch === epoch ? round.view - 1 : -1));
    const view = Math.max(own.view > 1 ? own.view - 1 : -1, ...shown);
    box.setGate({ epoch, view: this.#mutant === "lowGate" ? view - 3 : view });
  }

  /** Members that answer a box: up, connected, and not serving another box with the same key (`twin`). */
  #answering(box: DrBox, epoch: number): DrBox[] {
    const hasTwin = this.#boxes.some((other) => other !== box && other.isUp && other.isGreeted && isSameKey(other, box));
    if (hasTwin && this.#mutant !== "twinsServed") return [];
    return this.#boxes.filter(
      (peer) =>
        peer !== box &&
        peer.isUp &&
        !peer.isObserver &&
        peer.isConnected &&
        !isSameKey(peer, box) &&
        this.#seatOf(peer, epoch) !== undefined,
    );
  }

  #vote(box: DrBox): void {
    const last = this.#certificates[box.known - 1];
    if (last && !last.isBoundary) box.endGate(last);
    if (last && this.#prng.chance(0.02)) box.raiseFloor(last);
    const round = this.#roundAfter(box.known);
    const statement = this.#choose(round);
    if (!box.mayVote(statement)) return;
    const crash = this.#prng.chance(0.03) ? (this.#prng.chance(0.5) ? "beforeSync" : "beforeSigning") : "no";
    const signed = box.vote(statement, crash);
    if (crash !== "no") this.#counts.crashes++;
    if (crash === "beforeSync" && this.#mutant === "signsBeforeSync") this.#court.onSigned(box.key.publicKey, statement, box.name);
    if (!signed) return;
    this.#court.onSigned(box.key.publicKey, signed, box.name);
    for (const peer of this.#boxes) {
      if (this.#isReached(box, peer)) this.#deliver(peer, box.key, signed);
    }
    if (this.#prng.chance(0.05)) {
      this.#counts.crashes++;
      box.crash(); // right after its vote has left
    }
  }

  #isReached(voter: DrBox, peer: DrBox): boolean {
    if (peer === voter) return true;
    if (this.#audience) return peer.isUp && this.#audience.has(peer);
    return peer.isUp && peer.isConnected && this.#prng.chance(0.75);
  }

  /** Any vote: the leader may have equivocated, deadlines may have passed; what is consistent is for the journal to see. */
  #choose({ epoch, view }: Round): VoteStatement {
    const proposalId = sha256(utf8(`${epoch} ${view} ${this.#prng.below(2)}`));
    const draw = this.#prng.below(10);
    if (draw < 5) return { kind: VOTE_KIND.notarize, epoch, view, proposalId };
    return draw < 7 ? { kind: VOTE_KIND.nullify, epoch, view } : { kind: VOTE_KIND.finalize, epoch, view, proposalId };
  }

  /** A box that holds votes of a quorum for its current view has the view's certificate, maybe as the only one. */
  #deliver(peer: DrBox, key: VoteKey, vote: VoteStatement): void {
    const round = `${vote.epoch}:${vote.view}`;
    const votes = peer.seen.get(round) ?? new Map<string, VoteStatement[]>();
    votes.set(toHex(key.publicKey), [...(votes.get(toHex(key.publicKey)) ?? []), vote]);
    peer.seen.set(round, votes);
    const current = this.#roundAfter(peer.known);
    if (current.epoch !== vote.epoch || current.view !== vote.view) return;
    const members = present(this.#epochs[vote.epoch], "an epoch that is voted in has begun");
    if (members.filter((member) => votes.has(toHex(member.publicKey))).length < QUORUM) return;
    if (peer.known === this.#certificates.length) this.#certify(current);
    peer.known++;
  }

  /** The chain goes on by a view. What owners asked for by now, of any number of keys, takes effect with the epoch that this block ends (R12). */
  #certify(round: Round): void {
    const isBoundary = this.#rotations.size > 0;
    this.#certificates.push({ ...round, isBoundary });
    if (!isBoundary) return;
    const keys = present(this.#epochs[round.epoch], "an epoch has keys");
    this.#epochs.push(keys.map((key, validator) => this.#rotations.get(validator) ?? key));
    this.#rotations.clear();
  }

  /** What others know reaches a box. */
  #gossip(box: DrBox): void {
    const other = this.#pick(this.#boxes);
    if (box.isUp && other.isUp && box.isConnected && other.isConnected) box.known = Math.max(box.known, other.known);
  }

  // Operators

  #backUp(box: DrBox): void {
    if (!box.isUp || box.known === 0) return;
    const takenAtMs = Math.max(0, 1_000 * 24 * 60 * MINUTE_MS + this.#nowMs + box.wallOffsetMs);
    this.#backups.push({ name: `${box.name} ${takenAtMs}`, node: box.name, takenAtMs, height: box.known });
    const gone = new Set(planRetention(this.#backups.map((backup) => backup.takenAtMs)));
    this.#backups = this.#backups.filter((backup) => !gone.has(backup.takenAtMs));
    this.#images = [...this.#images.slice(-11), { box, image: box.image() }];
  }

  /** Any backup onto a new box, whose owner gives it the validator's place at once, later, or never; the old box may live. */
  #restore(): void {
    const entries = this.#prng.chance(0.3) ? newestUntil(this.#backups, {}) : [...this.#backups];
    const [first] = entries;
    const backup = this.#prng.chance(0.5) ? first : entries[this.#prng.below(Math.max(1, entries.length))];
    if (this.#mutant === "restoresJournal") this.#putImageBack();
    if (this.#mutant === "restoresJournal" || !backup || this.#boxes.length > 14) return;
    this.#counts.restores++;
    const validator = this.#prng.below(VALIDATORS);
    const box = this.#makeBox(validator, Math.min(backup.height, this.#certificates.length));
    const mayNeverSign = this.#epochs.flat().every((key) => !bytesEqual(key.publicKey, box.key.publicKey));
    if (!mayNeverSign) this.#court.findings.push(`${box.name} was restored with a key that signs (DR-3)`);
    this.#start(box);
    if (this.#prng.chance(0.2)) return; // it stays an observer
    this.#counts.rotations++;
    this.#rotations.set(validator, box.key);
    if (this.#prng.chance(0.6)) this.#crashHolder(validator); // the old box really is dead, for now
  }

  #crashHolder(validator: number): void {
    const key = this.#epochs.at(-1)?.[validator];
    for (const box of this.#boxes) if (box.isUp && key && bytesEqual(box.key.publicKey, key.publicKey)) box.crash();
  }

  #putImageBack(): void {
    const taken = this.#images[this.#prng.below(Math.max(1, this.#images.length))];
    if (!taken) return;
    taken.box.putBack(taken.image);
    this.#start(taken.box);
  }

  /** A home is copied, as it is or as an old image has it, to another machine, and started there while its own box may run on. */
  #copyElsewhere(box: DrBox): void {
    if (this.#boxes.length > 14) return;
    const old = this.#images.find((taken) => taken.box === box);
    const image = old && this.#prng.chance(0.5) ? old.image : box.image();
    this.#counts.copies++;
    const copy = this.#newBox(`copy of ${box.name}`, box.validator, box.key, image.known, this.#newHardware());
    copy.putBack(image);
    this.#boxes.push(copy);
    this.#start(copy);
  }

  /**
   * A key goes to another machine with its history; the box that it came from may be started again whenever. Where the chain
   * there is behind, it is silent for a while, as with lost journals: F = 1.
   */
  #move(box: DrBox): void {
    const hasCopy = this.#boxes.some((other) => other !== box && isSameKey(other, box));
    if (hasCopy || !box.isUp || box.isObserver || !this.#isLossBorne(box) || this.#boxes.length > 14) return;
    const encoded = box.exportHistory();
    if (!encoded) return;
    this.#counts.moves++;
    const known = this.#prng.below(box.durableKnown + 1);
    const moved = this.#newBox(`${box.name}, moved`, box.validator, box.key, known, this.#newHardware());
    const tip = this.#certificates[known - 1] ?? { epoch: 0, view: 0 };
    if (this.#mutant !== "losesHistory") moved.importHistory(encoded, tip);
    this.#boxes.push(moved);
    this.#start(moved);
    if (this.#prng.chance(0.5)) this.#start(box);
  }

  /**
   * An old image is put back on its own machine, of which an aggregator holds later events; the others may all have been
   * restarted since, and know nothing of its votes. One box at a time, as with lost journals: F = 1.
   */
  #rollBack(): void {
    for (const member of this.#boxes) if (!member.isUp && this.#isNeeded(member)) this.#start(member);
    const eligible = this.#images.filter(
      ({ box, image }) => this.#isAlone(box) && this.#isLossBorne(box) && (this.#acknowledged.get(box) ?? 0) > image.laneRecords,
    );
    if (eligible.length === 0) return;
    const { box, image } = this.#pick(eligible);
    this.#counts.rollbacks++;
    const isSitePowerCut = this.#prng.chance(0.7);
    for (const other of this.#boxes.filter((one) => isSitePowerCut && one.isUp && one !== box)) {
      other.crash();
      this.#start(other);
    }
    box.putBack(image);
    this.#start(box);
  }

  /** Whether no other box may sign with its key: an image from before its key moved on would make two of one. */
  #isAlone(box: DrBox): boolean {
    return this.#boxes.includes(box) && !this.#boxes.some((other) => other !== box && isSameKey(other, box) && !other.isObserver);
  }

  /** One part of a machine is exchanged, or its system installed anew: it stays the machine that its key is bound to. */
  #exchangePart(box: DrBox): void {
    if (!box.isUp || box.isObserver) return;
    const part = this.#pick(["machineId", "productUuid", "disks", "cards"] as const);
    box.crash();
    box.hardware = { ...box.hardware, [part]: [String(this.#prng.uint32())] };
    this.#start(box);
    if (box.isObserver) this.#court.findings.push(`${box.name} signs no more after one part of it was exchanged: ${part} (DR-3)`);
  }

  /** One box at a time, and not before the gate of the one before has done its work: F = 1. */
  #loseJournal(box: DrBox): void {
    if (!this.#isLossBorne(box)) return;
    box.loseJournal();
    this.#start(box);
  }

  /**
   * Aims at R14: two or three of four keys change at one boundary, which the boxes of the old ones do not get to see. With
   * the new ones the box that stays comes to view 2 of the next epoch and votes; then it loses its journal, and whom it can
   * ask first are the old ones, who know of no later epoch. Ends early where chance has a box crash meanwhile.
   */
  #restaff(): void {
    const epoch = this.#epochs.length - 1;
    const members = this.#boxes.filter((box) => box.isUp && !box.isObserver && this.#seatOf(box, epoch) !== undefined);
    const [staying, ...old] = members;
    if (!staying || old.length !== VALIDATORS - 1 || !members.every((box) => box.isIntact) || this.#boxes.length > 11) return;
    for (const box of members) {
      box.isConnected = true;
      box.known = this.#certificates.length;
    }
    const stayingSeat = this.#seatOf(staying, epoch);
    const seats = [0, 1, 2, 3].filter((seat) => seat !== stayingSeat).slice(this.#prng.below(2));
    const fresh = seats.map((seat) => {
      const box = this.#makeBox(seat, staying.known);
      this.#start(box);
      this.#rotations.set(seat, box.key);
      return box;
    });
    const lastKnown = staying.known;
    const isIn = (view: number): boolean => {
      const round = this.#roundAfter(staying.known);
      return staying.isUp && round.epoch > epoch && round.view >= view;
    };
    this.#actApart(members, [staying], () => isIn(1));
    for (const box of fresh) box.known = this.#certificates.length;
    if (isIn(1)) this.#actApart([staying, ...fresh], [staying, ...fresh], () => isIn(2));
    if (!isIn(2) || !old.every((box) => box.isUp && box.known === lastKnown)) return;
    let turns = 0;
    this.#actApart([staying], [], () => turns++ === 3);
    if (staying.isUp && this.#isLossBorne(staying)) this.#loseAmong(staying, old, fresh);
  }

  /** The staying box loses its journal; the old boxes answer it before it meets the new ones, who have seen all but its last vote. */
  #loseAmong(staying: DrBox, old: readonly DrBox[], fresh: readonly DrBox[]): void {
    this.#counts.restaffings++;
    for (const box of fresh) box.isConnected = false;
    this.#loseJournal(staying);
    staying.known = Math.max(...old.map((box) => box.known));
    this.#act(staying);
    for (const box of fresh) {
      box.isConnected = true;
      if (!box.isUp) this.#start(box);
      box.known = this.#certificates.length;
    }
    staying.known = this.#certificates.length;
    for (let turn = 0; turn < 6; turn++) this.#act(staying);
  }

  /** Turns of some boxes whose votes reach some boxes only, until something holds or they had turns enough. */
  #actApart(boxes: readonly DrBox[], audience: readonly DrBox[], isDone: () => boolean): void {
    this.#audience = new Set(audience);
    for (let turn = 0; turn < 120 && !isDone(); turn++) this.#act(this.#pick(boxes));
    this.#audience = undefined;
  }

  /** Whether what a member forgets is within what the others bear: nobody else has forgotten anything, or is away. */
  #isLossBorne(box: DrBox): boolean {
    const isOtherLost = this.#boxes.some((other) => other !== box && other.isUp && !other.isObserver && !other.isIntact);
    const signs = (member: DrBox): boolean => this.#boxes.some((one) => one.isUp && !one.isObserver && isSameKey(one, member));
    const isOtherDown = this.#boxes.some((other) => other !== box && this.#isNeeded(other) && !signs(other));
    return !isOtherLost && !isOtherDown && this.#isMember(box);
  }

  /** A copy of a running box's whole disk is started on the same machine, which custody cannot see; the network serves the one that was there first. */
  #twin(box: DrBox): void {
    if (!box.isUp || !box.isGreeted || !box.isConnected || this.#boxes.length > 14) return;
    const twin = this.#newBox(`twin of ${box.name}`, box.validator, box.key, box.durableKnown, box.hardware);
    twin.putBack(box.image());
    this.#boxes.push(twin);
    this.#start(twin);
    for (let turns = 0; turns < 8; turns++) {
      this.#act(twin);
      if (box.isUp) this.#act(box);
      if (!box.isUp) break; // whoever is told of twins stops the copy
      this.#gossip(twin);
    }
    this.#boxes.splice(this.#boxes.indexOf(twin), 1);
  }

  /** Everything on and connected: the chain must move by a few views. */
  #heal(): boolean {
    const goal = this.#certificates.length + 5;
    for (let turn = 0; turn < 3_000 && this.#certificates.length < goal; turn++) {
      for (const box of this.#boxes) {
        box.isConnected = true;
        if (!box.isUp) this.#start(box);
      }
      const box = this.#pick(this.#boxes);
      this.#act(box);
      this.#gossip(box);
    }
    return this.#certificates.length >= goal || this.#court.findings.length > 0;
  }

  // Rounds

  /** The round that is voted in by who knows so many certificates. */
  #roundAfter(known: number): Round {
    const last = this.#certificates[known - 1];
    if (!last) return { epoch: 0, view: 1 };
    return last.isBoundary ? { epoch: last.epoch + 1, view: 1 } : { epoch: last.epoch, view: last.view + 1 };
  }

  /** How many certificates who voted in a round knew. */
  #indexOf(round: Round): number {
    return this.#certificates.filter((certificate) => compareRounds(certificate, round) < 0).length;
  }

  #seatOf(box: DrBox, epoch: number): number | undefined {
    const seat = (this.#epochs[epoch] ?? []).findIndex((key) => bytesEqual(key.publicKey, box.key.publicKey));
    return seat < 0 ? undefined : seat;
  }

  /** A member of the last epoch, or of the one before: the boundary between them may be known to nobody who is up. */
  #isNeeded(box: DrBox): boolean {
    return this.#isMember(box) || this.#seatOf(box, this.#epochs.length - 2) !== undefined;
  }

  #isMember(box: DrBox): boolean {
    return this.#seatOf(box, this.#epochs.length - 1) !== undefined;
  }

  #pick<T>(items: readonly T[]): T {
    return present(items[this.#prng.below(items.length)], "there is something to pick from");
  }
}

function isSameKey(a: DrBox, b: DrBox): boolean {
  return bytesEqual(a.key.publicKey, b.key.publicKey);
}
