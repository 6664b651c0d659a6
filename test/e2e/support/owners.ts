import { join } from "node:path";
import { bizraJson, type Testnet } from "./bizra.ts";
import type { NodeProcess } from "./node-process.ts";

/** What an owner may spend in a test, in base units. */
const ALLOWANCE = 1_000_000_000n;

/** The flags that sign with the key of a validator's owner, and pay by a running node. */
function signWords(home: string, node: NodeProcess): string[] {
  return ["--key", join(home, "keys/owner.json"), "--passphrase-file", join(home, "keys/passphrase"), "--url", node.http];
}

/** Pays every validator's owner something to act with, before any load; gives the number of transactions. */
export async function fundOwners(net: Testnet, node: NodeProcess): Promise<number> {
  const [payer = ""] = Object.values(net.accounts);
  for (const home of net.homes) {
    const { address } = await bizraJson("keys", "show", join(home, "keys/owner.json"));
    const words = ["--key", payer, "--to", String(address), "--amount", String(ALLOWANCE), "--url", node.http, "--wait", "final"];
    await bizraJson("tx", "transfer", ...words);
  }
  return net.homes.length;
}

/**
 * Has a parameter's value approved by as many owners as it takes, from an epoch on.
 *
 * @param approvals owners that say yes, of equal weights
 * @returns the number of transactions
 */
export async function approve(net: Testnet, node: NodeProcess, name: string, epoch: number, approvals: number): Promise<number> {
  const [first = "", ...others] = net.homes;
  const words = ["--name", name, "--value", "1", "--epoch", String(epoch), ...signWords(first, node), "--wait", "final"];
  const { id } = await bizraJson("tx", "propose", ...words);
  for (const home of others.slice(0, approvals - 1))
    await bizraJson("tx", "vote", "--proposal", String(id), "--approve", ...signWords(home, node), "--wait", "final");
  return approvals;
}
