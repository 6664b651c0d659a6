import { toHex } from "../../src/kernel/index.ts";

/** Everything of a network lies below this, at whoever keeps objects of nodes. */
export function networkPrefix(chainId: Uint8Array): string {
  return `backup/${toHex(chainId.subarray(0, 8))}/`;
}

/** Everything of one node lies below this. */
export function nodePrefix(chainId: Uint8Array, node: string): string {
  return `${networkPrefix(chainId)}${nodeWord(node)}/`;
}

/** A node's id as a part of a name: an id has letters of both cases, an object's name has not. */
export function nodeWord(node: string): string {
  return node.replace(/[^a-z0-9-]/g, (letter) => `_${letter.charCodeAt(0).toString(16)}.`);
}

/** Where an aggregator serves releases: `RELEASES_PATH/CHANNEL/FILE`. */
export const RELEASES_PATH = "/releases/v1";

/** Everything of a channel of releases lies below this, at whoever keeps objects. */
export function releasePrefix(channel: string): string {
  return `releases/${channel}/`;
}

/** The id that `nodeWord` made a word of. */
export function nodeOfWord(word: string): string {
  return word.replace(/_([0-9a-f]+)\./g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}
