import { QUOTA_BYTES } from "../../../sync/aggregator/index.ts";
import { parseByteSize } from "../byte-size.ts";
import { type Command, CommandFailure, type CommandInput, required, UsageError } from "../command.ts";
import { AGGREGATOR_HOME_FLAG, askDesk, expectStatus, listOf, NODE_NETWORK_FLAG } from "../desk.ts";

/** `bizra aggregator quota`: how much one node may store. */
export const aggregatorQuota: Command = {
  name: "aggregator quota",
  summary: "Sets how much one node may store, in force at once at every aggregator of the store.",
  arguments: "NODE",
  positionalsMin: 1,
  flags: {
    ...AGGREGATOR_HOME_FLAG,
    ...NODE_NETWORK_FLAG,
    events: { kind: "text", value: "SIZE", doc: "What its events may take, such as 128GiB; or default: as all nodes." },
    objects: { kind: "text", value: "SIZE", doc: "What its backups may take; or default." },
  },
  async run(input, terminal) {
    const [node = ""] = input.positionals;
    const network = input.flag("network");
    const [eventBytes, objectBytes] = [sizeOf(input, "events"), sizeOf(input, "objects")];
    if (eventBytes === undefined && objectBytes === undefined) throw new UsageError("expected --events, --objects or both, got neither");
    const body = { node, ...(network === undefined ? {} : { network }), eventBytes, objectBytes }; // JSON leaves out what is undefined
    const answer = await askDesk(required(input, "home"), "POST", "/quotas", body);
    if (answer.status === 404) throw new CommandFailure(`expected a node that is known there, got ${node}`);
    const nodes = listOf({ ...answer, body: expectStatus(answer, 200) }, "nodes");
    terminal.result({ nodes }, () =>
      nodes.map((found) => `${node} of network ${String(found["network"])}: ${quotaText(found["quota"])}`).join("\n"),
    );
    return 0;
  },
};

/** Bytes; null: as all; undefined: not given. */
function sizeOf(input: CommandInput, flag: "events" | "objects"): number | null | undefined {
  const text = input.flag(flag);
  if (text === undefined || text === "default") return text === undefined ? undefined : null;
  return parseByteSize(text, `--${flag}`, QUOTA_BYTES.min, QUOTA_BYTES.max);
}

function quotaText(quota: unknown): string {
  const entries = typeof quota === "object" && quota !== null ? Object.entries(quota) : [];
  return entries.length === 0 ? "as all nodes" : entries.map(([name, bytes]) => `${name} ${String(bytes)}`).join(", ");
}
