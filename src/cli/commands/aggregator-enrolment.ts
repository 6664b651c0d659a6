import { parseHex } from "../../kernel/index.ts";
import { readGenesisOf, StartRefused } from "../../node/index.ts";
import { type Command, CommandFailure, type CommandInput, required, UsageError } from "../command.ts";
import { askDesk, expectStatus, AGGREGATOR_HOME_FLAG as HOME_FLAG, listOf, NODE_NETWORK_FLAG as NETWORK_FLAG } from "../desk.ts";
import { parseDuration } from "../duration.ts";

/** `bizra aggregator claim`: makes a token that lets one node ask for a certificate, once. */
export const aggregatorClaim: Command = {
  name: "aggregator claim",
  summary: "Makes a one-use token with which a node enrols (`bizra enroll`); it is printed here and kept nowhere.",
  flags: {
    ...HOME_FLAG,
    ...NETWORK_FLAG,
    "network-home": { kind: "text", value: "DIR", doc: "In place of --network: a node's home, whose genesis is meant." },
    node: { kind: "text", value: "ID", doc: "The only node that may use it (default: whichever comes first)." },
    site: { kind: "text", value: "NAME", doc: "Where the node stands, for people." },
    expires: { kind: "text", value: "TIME", doc: "How long it is good for, e.g. 30m, 24h, 7d (default 24h; at most 30d)." },
    approve: {
      kind: "text",
      value: "HOW",
      doc: "auto: the certificate is issued at once; manual: somebody approves first (default manual).",
    },
  },
  async run(input, terminal) {
    const approval = input.flag("approve") ?? "manual";
    if (approval !== "auto" && approval !== "manual")
      throw new UsageError(`expected --approve as auto or manual, got ${JSON.stringify(approval)}`);
    const [node, site] = [input.flag("node"), input.flag("site")];
    const lifeMs = parseDuration(input.flag("expires") ?? "24h", "--expires", 1_000, 30 * 86_400_000);
    const plan = {
      network: networkOf(input),
      ...(node === undefined ? {} : { node }),
      ...(site === undefined ? {} : { site }),
      approval,
      lifeMs,
    };
    const answer = await askDesk(required(input, "home"), "POST", "/claims", plan);
    const claim = expectStatus(answer, 201);
    terminal.result(claim, () => `claim ${claim["id"]}, expires ${claim["expiresAt"]}\ntoken ${claim["token"]}`);
    return 0;
  },
};

/** `bizra aggregator claims`: lists claims. */
export const aggregatorClaims: Command = {
  name: "aggregator claims",
  summary: "Lists the tokens that were made, without the tokens themselves.",
  flags: HOME_FLAG,
  async run(input, terminal) {
    const answer = await askDesk(required(input, "home"), "GET", "/claims");
    const claims = listOf(answer, "claims");
    terminal.result({ claims }, () => table(claims, ["id", "status", "node", "site", "approval", "expiresAt", "network"]));
    return 0;
  },
};

/** `bizra aggregator claim revoke`: ends a claim that nobody has used. */
export const aggregatorClaimRevoke: Command = {
  name: "aggregator claim revoke",
  summary: "Ends a token that nobody has used yet.",
  arguments: "CLAIM",
  positionalsMin: 1,
  flags: HOME_FLAG,
  async run(input, terminal) {
    const [id = ""] = input.positionals;
    const answer = await askDesk(required(input, "home"), "DELETE", `/claims/${encodeURIComponent(id)}`);
    if (answer.status === 404) throw new CommandFailure(`expected an open claim, got ${id}; \`bizra aggregator claims\` shows them`);
    expectStatus(answer, 204);
    terminal.result({ id, status: "revoked" }, () => `claim ${id} is revoked`);
    return 0;
  },
};

/** `bizra aggregator requests`: lists nodes that ask for a certificate. */
export const aggregatorRequests: Command = {
  name: "aggregator requests",
  summary: "Lists the nodes that asked to be enrolled; those that wait for an approval with --pending.",
  flags: { ...HOME_FLAG, pending: { kind: "presence", doc: "Only those that wait." } },
  async run(input, terminal) {
    const answer = await askDesk(required(input, "home"), "GET", input.has("pending") ? "/requests?status=pending" : "/requests");
    const requests = listOf(answer, "requests");
    terminal.result({ requests }, () => table(requests, ["node", "status", "identityKey", "address", "site", "requestedAt", "decidedBy"]));
    return 0;
  },
};

/** `bizra aggregator approve`: lets a node that asked have its certificate. */
export const aggregatorApprove: Command = decisionCommand(
  "approve",
  "approved",
  "Approves the pending request of a node, which then fetches its certificate.",
);

/** `bizra aggregator refuse`: turns a node that asked away. */
export const aggregatorRefuse: Command = decisionCommand(
  "refuse",
  "refused",
  "Refuses the pending request of a node; its token stays used.",
);

/** `bizra aggregator revoke`: turns an enrolled node away. */
export const aggregatorRevoke: Command = {
  name: "aggregator revoke",
  summary: "Revokes a node with its certificates, at once here and within seconds on other aggregators over the same store.",
  arguments: "NODE",
  positionalsMin: 1,
  flags: { ...HOME_FLAG, ...NETWORK_FLAG },
  async run(input, terminal) {
    const [node = ""] = input.positionals;
    const network = input.flag("network");
    const answer = await askDesk(required(input, "home"), "POST", "/revocations", { node, ...(network === undefined ? {} : { network }) });
    if (answer.status === 404) throw new CommandFailure(`expected an enrolled node, got ${node}`);
    const nodes = listOf({ ...answer, body: expectStatus(answer, 200) }, "nodes");
    terminal.result({ nodes }, () => `${node} is revoked`);
    return 0;
  },
};

function decisionCommand(verb: string, decision: "approved" | "refused", summary: string): Command {
  return {
    name: `aggregator ${verb}`,
    summary,
    arguments: "NODE",
    positionalsMin: 1,
    flags: HOME_FLAG,
    async run(input, terminal) {
      const [request = ""] = input.positionals;
      const answer = await askDesk(required(input, "home"), "POST", "/decisions", { request, decision });
      if (answer.status === 404) {
        throw new CommandFailure(
          `expected a node, or a request's id, that waits, got ${request}; \`bizra aggregator requests --pending\` shows them`,
        );
      }
      const requests = listOf({ ...answer, body: expectStatus(answer, 200) }, "requests");
      terminal.result({ requests }, () =>
        requests.map(({ node, identityKey }) => `${node} with identity ${identityKey} is ${decision}`).join("\n"),
      );
      return 0;
    },
  };
}

/** The network by its hash, or as the genesis in a node's home has it. */
function networkOf(input: CommandInput): string {
  const home = input.flag("network-home");
  if (home === undefined) {
    const text = required(input, "network");
    if (parseHex(text)?.length !== 32) throw new UsageError(`expected --network as 64 hex digits, got ${JSON.stringify(text)}`);
    return text.toLowerCase();
  }
  try {
    return Buffer.from(readGenesisOf(home).genesis.hash).toString("hex");
  } catch (error) {
    if (!(error instanceof StartRefused)) throw error;
    throw new CommandFailure(error.message);
  }
}

function table(rows: readonly Readonly<Record<string, unknown>>[], columns: readonly string[]): string {
  if (rows.length === 0) return "none";
  return rows.map((row) => columns.map((column) => `${column} ${String(row[column] ?? "-")}`).join("  ")).join("\n");
}
