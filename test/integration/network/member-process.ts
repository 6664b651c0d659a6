/**
 * One member of a network as a process of its own: `bun member-process.ts [--webrtc] SEED COUNT [ADDRESS...]`, a validator
 * among COUNT. It prints a line of JSON for its addresses and each peer that comes or goes, and answers each
 * recoveryRequest with a recoveryAnswer of the same token.
 */
import { startMember, validatorsOf } from "./world.ts";

const words = process.argv.slice(2);
const isWebRtc = words[0] === "--webrtc";
if (isWebRtc) words.shift();
const [seed = 1, count = 1] = words.slice(0, 2).map(Number);
const validators = validatorsOf(...Array.from({ length: count }, (_, index) => index + 1));

function tell(line: Readonly<Record<string, string>>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const member = await startMember({
  seed,
  validators,
  peers: words.slice(2),
  options: isWebRtc ? { webRtcListen: { host: "127.0.0.1", port: 0 } } : {},
  ports: {
    onPeerUp: (peer) => tell({ up: peer }),
    onPeerDown: (peer) => tell({ down: peer }),
    onMessage: (from, message) => {
      if (message.kind !== "recoveryRequest") return;
      member.network.consensusPort(() => {}).send(from, { kind: "recoveryAnswer", token: message.token, isRecovering: false });
    },
  },
});
tell({ webRtc: member.network.addresses.find((text) => text.includes("/webrtc-direct/")) ?? "", address: member.address() });
