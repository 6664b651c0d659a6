import { recordToJson } from "../../events/index.ts";
import { type KeptNode, openKeptNodes, StartRefused } from "../../node/index.ts";
import { type Command, CommandFailure, required } from "../command.ts";
import type { Terminal } from "../terminal.ts";

/** `bizra events kept`: what a stopped node keeps of other nodes' vital lanes. */
export const eventsKept: Command = {
  name: "events kept",
  summary: "Prints what a stopped node keeps of other boxes' vital events, which no aggregator has acknowledged, each verified.",
  flags: {
    home: { kind: "text", value: "DIR", doc: "Home of the node that keeps them." },
    node: {
      kind: "text",
      value: "NAME",
      doc: "Prints the events of this node, by its name or the start of its identity key; else which nodes there are.",
    },
  },
  async run(input, terminal) {
    const wanted = input.flag("node");
    const kept = open(required(input, "home"));
    try {
      if (wanted === undefined) return list(kept.nodes, terminal);
      const found = kept.nodes.filter(
        ({ node, identity }) => node === wanted || (wanted.length >= 8 && identity.startsWith(wanted.toLowerCase())),
      );
      const [node, other] = found;
      if (!node) throw new CommandFailure(`nothing is kept here of ${wanted}; without --node the command says of whom`);
      if (other)
        throw new CommandFailure(
          `${wanted} was ${found.length} boxes, one after the other; name one by its identity: ${found.map(({ identity }) => identity).join(", ")}`,
        );
      return show(node, terminal);
    } finally {
      kept.close();
    }
  },
};

function open(home: string): ReturnType<typeof openKeptNodes> {
  try {
    return openKeptNodes(home);
  } catch (error) {
    if (!(error instanceof StartRefused)) throw error;
    throw new CommandFailure(error.message);
  }
}

/** Which nodes, and whether all that is kept of each is what its identity signed. */
function list(nodes: readonly KeptNode[], terminal: Terminal): number {
  const shown = nodes.map(({ node, identity, bytes, released, runs }) => {
    const found = [...runs()];
    const records = found.reduce((sum, { records: some }) => sum + some.length, 0);
    const faults = found.filter(({ fault }) => fault !== undefined).length;
    return { node, identity, bytes, records, faults, released: `${released.epoch}.${released.sequence}` };
  });
  terminal.result({ ok: shown.every(({ faults }) => faults === 0), nodes: shown }, () =>
    shown.length === 0
      ? "nothing is kept here for other nodes"
      : shown
          .map(({ node, identity, records, faults, released }) => {
            const damage = faults === 0 ? "" : `, ${faults} PARTS ARE NOT WHAT IT SIGNED`;
            return `${node}: ${records} events, an aggregator has those up to ${released}${damage}; identity ${identity}`;
          })
          .join("\n"),
  );
  return shown.every(({ faults }) => faults === 0) ? 0 : 1;
}

/** The events of one node, oldest first; what is missing between them, and what is not the node's own word, is said. */
function show({ runs }: KeptNode, terminal: Terminal): number {
  let code = 0;
  let isFirst = true;
  for (const { records, fault, isLinked, place } of runs()) {
    const where = `${place.epoch}.${place.from} to ${place.epoch}.${place.to}`;
    if (fault !== undefined) {
      terminal.note(`${where}: not what the node's identity signed (${fault})`);
      code = 1;
    } else if (!isFirst && !isLinked) terminal.note(`${where}: what came before is not kept here`);
    for (const record of records) {
      const item = recordToJson(record);
      const said = "payload" in item ? Object.entries(item.payload ?? {}).map(([name, value]) => `${name}=${String(value)}`) : [];
      terminal.result(item, () => `${item.time} ${item.epoch}.${item.sequence} ${item.type} ${said.join(" ")}`);
    }
    isFirst = false;
  }
  return code;
}
