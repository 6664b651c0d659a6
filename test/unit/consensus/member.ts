import { ConsensusLoop, LAN_TIMERS, type Message } from "../../../src/consensus/index.ts";
import { Prng, present } from "../../../src/kernel/index.ts";
import { MemoryFileSystem } from "../../../src/storage/index.ts";
import { createJournal, openJournal, VoteGuard } from "../../../src/validator/index.ts";
import { Rig } from "../../rules/rig.ts";
import { Schedule } from "../../sim/schedule.ts";

/** The loop of validator 0 of four, with the real journal (syncs in the background) and guard; a rig speaks for the others. */
export function makeMember() {
  const rig = new Rig();
  const key = rig.key(0);
  const fs = new MemoryFileSystem({ prng: new Prng(5) });
  fs.makeDirectory("/home");
  fs.syncDirectory("/");
  const files = { fs, directory: "/home/journal", entropy: { bytes: (count: number) => new Uint8Array(count) } };
  createJournal(files, key.publicKey);
  const journal = openJournal(files, { publicKey: key.publicKey });
  const schedule = new Schedule();
  const fatal: unknown[] = [];
  const sent: Message[] = [];
  const { chainId } = rig.core.config;
  const loop = new ConsensusLoop(
    {
      blocks: rig.chain,
      journal,
      signer: new VoteGuard(journal, key, chainId),
      network: { broadcast: (message) => sent.push(message), send: (_to, message) => sent.push(message), fetchBatches: () => {} },
      clock: schedule.clock(rig.wallMs),
      timers: schedule.timers(() => true),
      onNotice: () => {},
      onFatal: (error) => fatal.push(error),
    },
    { chainId, suite: rig.suite, profile: LAN_TIMERS, seed: 1 },
  );
  loop.start();
  for (const other of rig.others) {
    loop.onPeerUp(rig.peer(other));
    const hello = present(
      sent.findLast((message) => message.kind === "hello"),
      "a hello",
    );
    if (hello.kind === "hello") loop.onMessage(rig.peer(other), { kind: "helloAnswer", token: hello.token, votesOfYours: [] });
  }
  return { rig, loop, journal, schedule, fatal, sent };
}

/** Lets background syncs and what follows from them happen. */
export async function settleSyncs(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}
