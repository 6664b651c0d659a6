import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buildBinary } from "../../../.ci/build.ts";
import { toHex } from "../../../src/kernel/index.ts";
import { ChildMembers, MEMBER_PROGRAM } from "./child-members.ts";
import { type Member, signerOf, startMember, until, validatorsOf } from "./world.ts";

const members: Member[] = [];
const children = new ChildMembers();
const folders: string[] = [];

afterEach(async () => {
  await children.killAll();
  await Promise.all(members.splice(0).map(({ network }) => network.stop()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const idOf = (seed: number): string => toHex(signerOf(seed).publicKey);

/** How many peers answer a question put to all. */
async function ask(member: Member, token: number, answers: number): Promise<void> {
  member.network.consensusPort(() => {}).broadcast({ kind: "recoveryRequest", token });
  await until(
    "all answer",
    () => member.messages.filter(({ message }) => message.kind === "recoveryAnswer" && message.token === token).length === answers,
  );
}

test("network: four processes, each connected to all; one killed is missed and comes back, one that hangs is noticed", async () => {
  const a = await startMember({ seed: 1, validators: validatorsOf(1, 2, 3, 4) });
  members.push(a);
  const b = await children.spawn(2, 4, [a.address()]);
  const c = await children.spawn(3, 4, [a.address(), b.address]);
  await children.spawn(4, 4, [a.address(), b.address, c.address]);
  await until("all three", () => a.up.length === 3);
  b.child.kill("SIGKILL");
  await until("b missed", () => !a.up.includes(idOf(2)));
  await children.spawn(2, 4, [a.address()]);
  await until("b is back", () => a.up.includes(idOf(2)));
  c.child.kill("SIGSTOP");
  await until("c noticed", () => !a.up.includes(idOf(3)));
  expect(a.up).toContain(idOf(2));
  expect(a.up).toContain(idOf(4));
  c.child.kill("SIGCONT");
  await until("c is back", () => a.up.includes(idOf(3)));
  await ask(a, 77, 3);
}, 240_000);

test("network: compiled into one binary with nothing beside it, members connect, greet and answer", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bizra-network-"));
  folders.push(folder);
  const outfile = join(folder, "member");
  const root = join(dirname(MEMBER_PROGRAM), "..", "..", "..");
  await buildBinary({ entryPoints: [MEMBER_PROGRAM], root, outfile, stamp: { version: "0", commit: "test", inputs: "00" } });
  const a = await startMember({ seed: 1, validators: validatorsOf(1, 2, 3) });
  members.push(a);
  const b = await children.spawn(2, 3, [a.address()], [outfile]);
  await children.spawn(3, 3, [a.address(), b.address], [outfile]);
  await until("both", () => a.up.length === 2);
  await ask(a, 5, 2);
}, 240_000);
