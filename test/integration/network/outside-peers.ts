import { join } from "node:path";
import { present, utf8 } from "../../../src/kernel/index.ts";
import { startMember, validatorsOf } from "./world.ts";

/** The folder of peers that are not ours, one a language. */
export const OUTSIDE_PEERS = join(import.meta.dir, "outside-peer");

/** What an outside peer saw of a member. */
export type OutsideView = {
  readonly agentVersion: string;
  readonly protocols: readonly string[];
  readonly hasPinged: boolean;
  /** Answers, hex: to a request for block 3, which is the text "block", and for a proof that is not there. */
  readonly final: string;
  readonly proof: string;
};

/** What every outside peer has to see, but for the protocols. */
export const EXPECTED_VIEW = { agentVersion: "bizra/test", hasPinged: true, final: "08820045626c6f636b", proof: "028101" } as const;

/** Runs a peer that is not ours against a member; its command gets the member's address as the last word. */
export async function seenBy(command: readonly string[]): Promise<OutsideView> {
  const findFinalBlock = (height: number): Uint8Array | undefined => (height === 3 ? utf8("block") : undefined);
  const { network } = await startMember({
    seed: 1,
    validators: validatorsOf(1),
    ports: { answers: { findProof: () => undefined, findFinalBlock } },
  });
  try {
    const address = present(network.addresses[0], "it listens");
    const child = Bun.spawn([...command, address], { stdout: "pipe", stderr: "inherit" });
    const [out, code] = await Promise.all([new Response(child.stdout).text(), child.exited]);
    if (code !== 0) throw new Error(`${command[0]} ended with ${code}: ${out}`);
    return JSON.parse(out) as OutsideView;
  } finally {
    await network.stop();
  }
}
