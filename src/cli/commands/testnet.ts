import { toHex } from "../../kernel/index.ts";
import { systemClock, systemEntropy } from "../../node/index.ts";
import { LIMITS } from "../../protocol/index.ts";
import { type Command, parseCount, required } from "../command.ts";
import { createNetwork } from "../network-files.ts";

/** `bizra testnet`: N homes with one genesis, ready for `bizra node --home`. */
export const testnet: Command = {
  name: "testnet",
  summary: "Makes N node homes with one genesis and funded demo accounts (their keys unencrypted, for tests only).",
  flags: {
    validators: { kind: "text", value: "N", doc: "How many validators (default 4)." },
    out: { kind: "text", value: "DIR", doc: "Where to write them; the files must not exist." },
    chain: { kind: "text", value: "NAME", doc: "Chain name (default testnet)." },
  },
  async run(input, terminal) {
    const files = await createNetwork(
      {
        directory: required(input, "out"),
        chainName: input.flag("chain") ?? "testnet",
        validators: parseCount(input.flag("validators") ?? "4", "--validators", 1, LIMITS.validatorsMax),
        timeMs: systemClock.nowMs(),
        settings: { "http.listen": "127.0.0.1:0" },
      },
      systemEntropy,
    );
    const hash = toHex(files.genesisHash);
    if (files.homes.length > 1)
      terminal.note("This version has no network between validators: nodes of a genesis with several refuse to start.");
    terminal.result({ genesis: files.genesisPath, hash, homes: files.homes, accounts: files.accounts }, () =>
      [
        `Genesis ${files.genesisPath} (${hash})`,
        ...files.homes.map((home) => `Home    ${home}: bizra node --home ${home}`),
        ...files.accounts.map((a) => `Account ${a.name.padEnd(6)} ${a.address}  ${a.key}`),
      ].join("\n"),
    );
    return 0;
  },
};
