/**
 * The page at /try, as it runs in a visitor's browser: makes or takes a key, waits for funds, anchors a note over WebRTC
 * and verifies its receipt. It talks to the node that served it and to nobody else, keeps the key in memory only, and puts
 * nothing into the document but text.
 */
import "./no-compiling.ts";

import {
  type DeviceKey,
  deviceClock,
  deviceEntropy,
  deviceTimers,
  exportKeyPem,
  generateKey,
  importKeyPem,
  pause,
  type TrustedChain,
} from "../../device/index.ts";
import { err, ok, parseHex, type Result } from "../../kernel/index.ts";
import { Asker } from "../../network/portable.ts";
import { checkNote, runErrand } from "./anchor-errand.ts";
import { trustGenesis } from "./chain.ts";
import { NodeReads } from "./node-reads.ts";
import { element, fundingCommand, resetSteps, say, show, showChain, showProblem, showReceipt, showStep } from "./view.ts";

/** What the demo sends to a visitor: enough for many anchors at the minimum fee. */
const FUNDING_FEES = 100n;
/** Blocks from now in which an anchor may execute. */
const VALID_FOR = 1_000n;
const LOOK_EVERY_MS = 1_000;

const reads = new NodeReads((path) => fetch(path, { cache: "no-store" }));
const submit = element("submit", HTMLButtonElement);
let signer: DeviceKey | undefined;
let keyUrl: string | undefined;

void start();

async function start(): Promise<void> {
  const ready = await meetNode();
  if (!ready.ok) return showProblem(ready.error);
  const { chain, node } = ready.value;
  const makeKey = element("make-key", HTMLButtonElement);
  const keyFile = element("key-file", HTMLInputElement);
  makeKey.addEventListener("click", () => void useKey(generateKey(deviceEntropy)));
  keyFile.addEventListener("change", () => void readKeyFile(keyFile));
  element("note-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    void anchorNote(chain, node);
  });
  makeKey.disabled = false;
  keyFile.disabled = false;
}

/** Everything the page needs before a visitor can do anything: the chain to trust and a node to ask. */
async function meetNode(): Promise<Result<{ chain: TrustedChain; node: Asker }, string>> {
  if (!isSecureContext)
    return err(
      "This browser lends its cryptography only to pages from this machine or over HTTPS. Open the page as http://127.0.0.1, or put the node behind a proxy with HTTPS.",
    );
  const fragment = location.hash.slice(1);
  const pinned = fragment === "" ? undefined : parseHex(fragment);
  if (fragment !== "" && pinned?.length !== 32)
    return err("What stands behind # in the address is no genesis hash: 64 hex digits are expected there.");
  const text = await reads.genesis();
  if (!text.ok) return text;
  const chain = trustGenesis(text.value, pinned);
  if (!chain.ok) return chain;
  showChain(chain.value, pinned !== undefined);
  const address = await reads.webRtcAddress(location.hostname);
  if (!address.ok) return address;
  say("node-address", address.value);
  return ok({ chain: chain.value, node: await Asker.start(address.value, deviceTimers) });
}

async function readKeyFile(input: HTMLInputElement): Promise<void> {
  const text = await input.files?.[0]?.text();
  const key = text === undefined ? undefined : importKeyPem(text);
  if (key?.ok) return useKey(key.value);
  if (key) showProblem("This file is no key that the page can read: an unencrypted Ed25519 key in PEM is expected.");
}

async function useKey(own: DeviceKey): Promise<void> {
  signer = own;
  showProblem(undefined);
  say("address", own.address);
  if (keyUrl !== undefined) URL.revokeObjectURL(keyUrl);
  keyUrl = URL.createObjectURL(new Blob([exportKeyPem(own)], { type: "application/x-pem-file" }));
  element("save-key", HTMLAnchorElement).href = keyUrl;
  show("account", true);
  await watchBalance(own);
}

/** Looks at the balance until it pays a fee or the visitor takes another key. */
async function watchBalance(own: DeviceKey): Promise<void> {
  submit.disabled = true;
  while (signer === own) {
    const terms = await reads.terms();
    const account = terms.ok ? await reads.account(own.address) : terms;
    if (signer !== own) return;
    if (!terms.ok || !account.ok) showProblem(terms.ok ? (account.ok ? undefined : account.error) : terms.error);
    else {
      showProblem(undefined);
      say("balance", `${account.value.balance} units; an anchor costs ${terms.value.minimumFee}`);
      const isFunded = account.value.balance >= terms.value.minimumFee;
      say("funding-command", fundingCommand(own.publicKey, FUNDING_FEES * terms.value.minimumFee, location.origin));
      show("funding", !isFunded);
      submit.disabled = !isFunded;
      if (isFunded) return;
    }
    await pause(deviceTimers, LOOK_EVERY_MS);
  }
}

async function anchorNote(chain: TrustedChain, node: Asker): Promise<void> {
  const own = signer;
  if (!own || submit.disabled) return;
  submit.disabled = true;
  showProblem(undefined);
  show("receipt", false);
  resetSteps("dial");
  const verified = await anchorBy(own, chain, node);
  if (verified.ok) showReceipt(chain, verified.value);
  else showProblem(verified.error);
  await refresh(own);
}

async function anchorBy(own: DeviceKey, chain: TrustedChain, node: Asker): ReturnType<typeof runErrand> {
  const stream = element("stream", HTMLInputElement).value;
  const text = element("note", HTMLTextAreaElement).value;
  const note = checkNote(stream, text);
  if (!note.ok) return note;
  const terms = await reads.terms();
  if (!terms.ok) return terms;
  const account = await reads.account(own.address);
  if (!account.ok) return account;
  const { maxValidity } = chain.genesis.parameters;
  const order = {
    signer: own,
    nonce: account.value.pendingNonce,
    fee: terms.value.minimumFee,
    validUntil: terms.value.height + (maxValidity < VALID_FOR ? maxValidity : VALID_FOR),
    stream,
    text,
  };
  return runErrand(chain, order, { node, clock: deviceClock, timers: deviceTimers, onDone: showStep });
}

/** After an errand: the balance as it is now, and the way open for another, unless the visitor has taken another key. */
async function refresh(own: DeviceKey): Promise<void> {
  if (signer !== own) return;
  const account = await reads.account(own.address);
  if (account.ok && signer === own) say("balance", `${account.value.balance} units`);
  submit.disabled = false;
}
