import type { TrustedChain } from "../../device/index.ts";
import { assert, toHex } from "../../kernel/index.ts";
import { formatAddress } from "../../protocol/index.ts";
import { STEPS, type Step } from "./anchor-errand.ts";
import type { VerifiedReceipt } from "./chain.ts";

/** The element with this id, of this kind; page.html has it. */
export function element<T extends HTMLElement>(id: string, kind: abstract new () => T): T {
  const found = document.getElementById(id);
  assert(found instanceof kind, `page.html has the element ${id}`);
  return found;
}

/** Puts a text into an element, as text. */
export function say(id: string, text: string): void {
  element(id, HTMLElement).textContent = text;
}

/** Shows or hides an element. */
export function show(id: string, isShown: boolean): void {
  element(id, HTMLElement).hidden = !isShown;
}

/** Shows a sentence where problems are told and brings it into view once, or takes it away. */
export function showProblem(sentence: string | undefined): void {
  const place = element("problem", HTMLElement);
  const isNew = sentence !== undefined && place.textContent !== sentence;
  place.textContent = sentence ?? "";
  place.hidden = sentence === undefined;
  if (isNew) place.scrollIntoView({ block: "nearest" });
}

/** Shows the chain that the page trusts, and whether the visitor named it. */
export function showChain({ genesis, set }: TrustedChain, isPinned: boolean): void {
  say("genesis-hash", toHex(genesis.hash));
  say(
    "validators",
    `${set.validators.length} at genesis of chain "${genesis.chainName}"; ${set.quorumWeight} of ${set.totalWeight} weight make a quorum`,
  );
  say(
    "pin",
    isPinned
      ? "The hash is the one in this page's address."
      : "The hash was computed here from the node's genesis document. Is it the one you expect?",
  );
}

/** Marks no step as done and the first as running; or none as running. */
export function resetSteps(running: Step | undefined): void {
  for (const step of STEPS) {
    const item = element(`step-${step}`, HTMLLIElement);
    item.className = step === running ? "running" : "";
    item.querySelector("span")?.remove();
  }
}

/** Marks a step as done, and the next one as running. */
export function showStep(step: Step, detail: string, tookMs: number): void {
  const item = element(`step-${step}`, HTMLLIElement);
  const words = document.createElement("span");
  words.textContent = `: ${detail} (${Math.round(tookMs)} ms)`;
  item.append(words);
  item.className = "done";
  const next = STEPS[STEPS.indexOf(step) + 1];
  if (next) element(`step-${next}`, HTMLLIElement).className = "running";
}

/** Shows a receipt that was verified, and what the verification consisted of. */
export function showReceipt({ genesis }: TrustedChain, verified: VerifiedReceipt): void {
  const { receipt, header, signers, signedWeight, set, hops, ancestors, pathLength, bundleBytes } = verified;
  const when = new Date(header.timeMs).toISOString();
  const result = receipt.code === "applied" ? "executed" : `executed and refused (${receipt.code}); the fee was charged`;
  say("verdict", `Verified. Your note is final in block ${header.height}: ${result}.`);
  const facts = element("receipt-facts", HTMLDListElement);
  facts.replaceChildren();
  addFact(facts, "Transaction", toHex(receipt.transactionId));
  addFact(facts, "Result", receipt.code);
  addFact(facts, "Block", `${header.height}, index ${receipt.index}`);
  addFact(facts, "Block time", when);
  addFact(facts, "Fee", `${receipt.fee} units`);
  addFact(facts, "State root", toHex(header.stateRoot));
  const signed = signers.filter(({ hasSigned }) => hasSigned).length;
  showList("verified", [
    `The genesis document: its hash is ${toHex(genesis.hash)}, and every validator in it proved its key and signed it.`,
    hops === 0
      ? "The block is of the first epoch: its validators are those of genesis."
      : `${hops} changes of the validator set, each signed by the set before.`,
    `The finalization: ${signed} of ${set.validators.length} signatures, weight ${signedWeight} of the ${set.quorumWeight} needed, each Ed25519 signature checked.`,
    ancestors === 0
      ? "The certified block is the receipt's own."
      : `The receipt's block is an ancestor of the certified one, ${ancestors} parent hashes away.`,
    `The receipt: its path of ${pathLength} hashes leads to the receipt root of the block's header.`,
    "The transaction: the receipt names the id of the bytes that this page signed.",
    `All of it from ${bundleBytes} bytes of proof and the genesis document.`,
  ]);
  showList(
    "signers",
    signers.map(({ publicKey, weight, hasSigned }) => `${hasSigned ? "signed" : "did not sign"}: ${toHex(publicKey)} (weight ${weight})`),
  );
  show("receipt", true);
}

/** The command that funds an address, for somebody at the network's machine. */
export function fundingCommand(publicKey: Uint8Array, units: bigint, url: string): string {
  return `dist/bizra tx transfer --url ${url} --key .bizra/network/accounts/alice.pem --to ${formatAddress(publicKey)} --amount ${units}`;
}

function addFact(list: HTMLDListElement, name: string, value: string): void {
  const term = document.createElement("dt");
  const words = document.createElement("dd");
  const code = document.createElement("code");
  term.textContent = name;
  code.textContent = value;
  words.append(code);
  list.append(term, words);
}

function showList(id: string, lines: readonly string[]): void {
  const items = lines.map((line) => {
    const item = document.createElement("li");
    item.textContent = line;
    return item;
  });
  element(id, HTMLUListElement).replaceChildren(...items);
}
