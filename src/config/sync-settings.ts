import { choiceSetting, listSetting, textSetting } from "./setting.ts";

/** Where a node brings its events, how it is known there, and who keeps what nobody has yet. */
export const SYNC_SETTINGS = {
  aggregators: listSetting({
    pattern: /^https?:\/\/[^\s@,/]{1,255}$/,
    expected: "https:// (or, within one machine, http://) with host and port",
    itemsMax: 2,
    doc: "Aggregators that this node's events are brought to; none: they stay here.",
  }),
  profile: choiceSetting({
    choices: ["unmetered", "metered", "emergency"],
    fallback: "unmetered",
    doc: "How the uplink is paid for: how long events wait for company, and how often the node says how it is.",
  }),
  caFile: textSetting({
    pattern: /^[^\0]{0,4096}$/,
    expected: "a path, relative to the home when it does not start with /",
    fallback: "",
    doc: "PEM of the authorities that an aggregator's certificate must come from; empty: those that the system trusts.",
  }),
  certificateFile: textSetting({
    pattern: /^[^\0]{0,4096}$/,
    expected: "a path, relative to the home when it does not start with /",
    fallback: "",
    doc: "PEM of this node's certificate at its aggregators; empty: none.",
  }),
  keyFile: textSetting({
    pattern: /^[^\0]{0,4096}$/,
    expected: "a path, relative to the home when it does not start with /",
    fallback: "",
    doc: "PEM of the key of that certificate.",
  }),
  witnessKeys: listSetting({
    pattern: /^[0-9a-fA-F]{64}$/,
    expected: "a public key in hex",
    itemsMax: 2,
    doc: "Keys whose acknowledgements count, in the order of the aggregators; none: whichever each of them names.",
  }),
  enrolAt: textSetting({
    pattern: /^(?:https:\/\/[^\s@,/]{1,255})?$/,
    expected: "https:// with host and port of an aggregator, or nothing",
    fallback: "",
    doc: "Aggregator that this node enrols at by itself, when it finds a token; the settings above are then written for it.",
  }),
  enrolPin: textSetting({
    pattern: /^(?:[0-9a-fA-F]{64})?$/,
    expected: "SHA-256 of the authority's certificate in hex, as the aggregator prints it when it starts",
    fallback: "",
    doc: "The only authority that the token is shown to.",
  }),
  enrolTokenFile: textSetting({
    pattern: /^[^\0]{1,4096}$/,
    expected: "a path, relative to the home when it does not start with /",
    fallback: "sync/enrol-token",
    doc: "File with the token, for its owner's eyes alone; it is used once and then wiped.",
  }),
  escrow: choiceSetting({
    choices: ["on", "off"],
    fallback: "on",
    doc: "Whether two peers keep vital events that no aggregator has yet, and this node keeps theirs.",
  }),
  escrowPeers: listSetting({
    pattern: /^[0-9a-fA-F]{64}$/,
    expected: "a public key in hex",
    itemsMax: 16,
    doc: "Keys of the peers that may keep this node's vital events; none: any validator, and any node of network.allow.",
  }),
} as const;
