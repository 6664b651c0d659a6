import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { toHex } from "../../../src/kernel/index.ts";
import { type Member, signerOf, startMember, until, validatorsOf } from "./world.ts";

const members: Member[] = [];
const children: Subprocess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await Promise.all(members.splice(0).map(({ network }) => network.stop()));
});

/** A member as a process; resolves with its address once it listens. */
async function spawnMember(seed: number, count: number, ...peers: string[]): Promise<{ child: Subprocess; address: string }> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "member-process.ts"), String(seed), String(count), ...peers], {
    stdout: "pipe",
    stderr: "inherit",
  });
  children.push(child);
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`member ${seed} ended before it listened`);
    text += value;
    const address = /"address":"([^"]+)"/.exec(text)?.[1];
    if (address !== undefined) {
      void (async () => {
        while (!(await reader.read()).done);
      })();
      return { child, address };
    }
  }
}

const idOf = (seed: number): string => toHex(signerOf(seed).publicKey);

test("network: four processes, each connected to all; one killed is missed and comes back, one that hangs is noticed", async () => {
  const a = await startMember({ seed: 1, validators: validatorsOf(1, 2, 3, 4) });
  members.push(a);
  const b = await spawnMember(2, 4, a.address());
  const c = await spawnMember(3, 4, a.address(), b.address);
  await spawnMember(4, 4, a.address(), b.address, c.address);
  await until("all three", () => a.up.length === 3);
  b.child.kill("SIGKILL");
  await until("b missed", () => !a.up.includes(idOf(2)));
  await spawnMember(2, 4, a.address());
  await until("b is back", () => a.up.includes(idOf(2)));
  c.child.kill("SIGSTOP");
  await until("c noticed", () => !a.up.includes(idOf(3)));
  expect(a.up).toContain(idOf(2));
  expect(a.up).toContain(idOf(4));
  c.child.kill("SIGCONT");
  await until("c is back", () => a.up.includes(idOf(3)));
  a.network.consensusPort(() => {}).broadcast({ kind: "recoveryRequest", token: 77 });
  await until(
    "all answer",
    () => a.messages.filter(({ message }) => message.kind === "recoveryAnswer" && message.token === 77).length === 3,
  );
}, 30_000);
