/**
 * One member of a network as a process of its own: `bun member-process.ts SEED COUNT [ADDRESS...]`, a validator among
 * COUNT. It prints a line of JSON for its address and each peer that comes or goes, and answers each recoveryRequest
 * with a recoveryAnswer of the same token.
 */
import { startMember, validatorsOf } from "./world.ts";

const [seed = 1, count = 1] = process.argv.slice(2, 4).map(Number);
const validators = validatorsOf(...Array.from({ length: count }, (_, index) => index + 1));

function tell(line: Readonly<Record<string, string>>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const member = await startMember({
  seed,
  validators,
  peers: process.argv.slice(4),
  ports: {
    onPeerUp: (peer) => tell({ up: peer }),
    onPeerDown: (peer) => tell({ down: peer }),
    onMessage: (from, message) => {
      if (message.kind !== "recoveryRequest") return;
      member.network.consensusPort(() => {}).send(from, { kind: "recoveryAnswer", token: message.token, isRecovering: false });
    },
  },
});
tell({ address: member.address() });
