import { toHex } from "../../kernel/index.ts";
import { systemClock, systemEntropy } from "../../node/index.ts";
import { LIMITS } from "../../protocol/index.ts";
import { type Command, parseCount, required } from "../command.ts";
import { createNetwork, EPOCH_BLOCKS_DEFAULT, meshSettings } from "../network-files.ts";

/** Where the first node listens for the others by default. */
const FIRST_PORT = 8646;
/** The last port at which the last of the largest set still has one. */
const FIRST_PORT_MAX = 65_535 - LIMITS.validatorsMax;

/** `bizra testnet`: N homes with one genesis, ready for `bizra node --home`. */
export const testnet: Command = {
  name: "testnet",
  summary: "Makes N node homes with one genesis and funded demo accounts (their keys unencrypted, for tests only).",
  flags: {
    validators: { kind: "text", value: "N", doc: "How many validators (default 4)." },
    out: { kind: "text", value: "DIR", doc: "Where to write them; the files must not exist." },
    port: {
      kind: "text",
      value: "PORT",
      doc: `Where the first node listens for the others, on loopback; the next ones follow (default ${FIRST_PORT}).`,
    },
    mqtt: { kind: "presence", doc: "Gives each node a device broker on loopback, at any free port." },
    chain: { kind: "text", value: "NAME", doc: "Chain name (default testnet)." },
    "epoch-blocks": { kind: "text", value: "N", doc: "Blocks in an epoch (default 100000)." },
  },
  async run(input, terminal) {
    const validators = parseCount(input.flag("validators") ?? "4", "--validators", 1, LIMITS.validatorsMax);
    const firstPort = parseCount(input.flag("port") ?? String(FIRST_PORT), "--port", 1, FIRST_PORT_MAX);
    const ports = Array.from({ length: validators }, (_, at) => firstPort + at);
    const files = await createNetwork(
      {
        directory: required(input, "out"),
        chainName: input.flag("chain") ?? "testnet",
        validators,
        epochBlocks: parseCount(input.flag("epoch-blocks") ?? String(EPOCH_BLOCKS_DEFAULT), "--epoch-blocks", 8, 1_000_000_000),
        timeMs: systemClock.nowMs(),
        settingsOf: (index, keys) => ({
          "http.listen": "127.0.0.1:0",
          ...(input.has("mqtt") && { "mqtt.listen": "127.0.0.1:0" }),
          ...meshSettings(index, keys, ports),
        }),
      },
      systemEntropy,
    );
    const hash = toHex(files.genesisHash);
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
