/** What is true of the machine itself, and a reset that another process does, as provisioning takes them. */
import { describe, expect, test } from "bun:test";
import { MEDIUM } from "../../../../appliance/provisioning/index.ts";
import { FakeBox, planText } from "./fake-box.ts";

const LOST = "The data partition cannot be used: the box runs on memory.";

describe("conditions", () => {
  test("provisioning: a box whose data is lost, makes no keys and takes no plan, says why, and still lets its administrator in", async () => {
    const box = new FakeBox();
    box.conditions = { ...box.conditions, standstill: LOST };
    box.put(MEDIUM.document, planText());
    await box.rest();
    expect(box.provisioner.status.state).toBe("factory");
    expect([...box.disk.files.keys()].filter((path) => path.startsWith("/home") || path.startsWith("/system"))).toEqual([]);
    expect(box.statusText).toContain(`State: factory\r\n${LOST}\r\n`);
    expect(box.statusText).not.toContain("makes its keys");
    expect(box.statusText).toMatch(/Console one-time code: [0-9A-Z-]{14}\r\n/);
    expect(box.provisioner.propose(planText())).toEqual({ ok: false, error: [LOST] });
    expect(box.medium(MEDIUM.document)).toBe(planText());
  });

  test("provisioning: data that is there again after a restart, the plan on the medium is taken", async () => {
    const box = new FakeBox();
    box.conditions = { ...box.conditions, standstill: LOST };
    box.put(MEDIUM.document, planText());
    await box.rest();
    box.conditions = { isBeingReset: false, notes: [], hasSshServer: true };
    box.disk.files.delete("/record"); // it lay in memory
    box.reboot();
    await box.rest();
    expect(box.provisioner.status.state).toBe("ready");
    expect(box.statusText).not.toContain(LOST);
  });

  test("provisioning: what else a person should know, stands first in status.txt, and goes when it is over", async () => {
    const box = new FakeBox();
    box.conditions = { ...box.conditions, notes: ["The data partition is full."] };
    await box.rest();
    expect(box.statusText).toContain("State: keyed\r\nThe data partition is full.\r\n");
    box.conditions = { ...box.conditions, notes: [] };
    await box.rest();
    expect(box.statusText).not.toContain("full");
  });

  test("provisioning: ssh keys for a release without an ssh server, said; without keys, or with a server, not", async () => {
    for (const [hasSshServer, ssh, isSaid] of [
      [false, { keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAUDIRHo7MkCXmQ2eyzfwZLC7Psf2zhbbVy0ZSNNgNnI operator"] }, true],
      [true, { keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAUDIRHo7MkCXmQ2eyzfwZLC7Psf2zhbbVy0ZSNNgNnI operator"] }, false],
      [false, undefined, false],
    ] as const) {
      const box = new FakeBox();
      box.conditions = { ...box.conditions, hasSshServer };
      box.put(MEDIUM.document, planText({ ssh }));
      await box.rest();
      expect(box.provisioner.status.state).toBe("ready");
      expect(box.statusText.includes("has no ssh server")).toBe(isSaid);
    }
  });
});

describe("a factory reset by another process", () => {
  test("provisioning: while it is under way, nothing is written", async () => {
    const box = new FakeBox();
    await box.rest();
    box.conditions = { ...box.conditions, isBeingReset: true };
    const before = box.disk.writes;
    box.put(MEDIUM.document, planText());
    box.disk.files.delete("/record");
    await box.rest();
    expect(box.disk.writes).toBe(before);
  });

  test("provisioning: after it, the box has forgotten its plan, keeps keys that are there, and has a new code", async () => {
    const box = new FakeBox();
    box.put(MEDIUM.document, planText());
    await box.rest();
    const { keys } = box.provisioner.status;
    const code = box.provisioner.adminCode;
    expect(box.provisioner.status.state).toBe("ready");
    box.disk.files.delete("/record");
    await box.rest();
    expect(box.forgotten).toBe(1);
    expect(box.provisioner.status).toMatchObject({ state: "keyed", keys, plan: undefined });
    expect(box.provisioner.adminCode).not.toBe(code);
    expect(box.statusText).not.toContain("mill-7");
  });
});
