import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InstallerFailed, RaucInstaller } from "../../../../appliance/ota/index.ts";
import type { Timers } from "../../../../src/kernel/index.ts";
import { FakeRauc, infoOf, statusOf } from "./fake-rauc.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-rauc-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Waits are over at once. */
const atOnce: Timers = {
  after: (_delayMs, action) => {
    queueMicrotask(action);
    return () => {};
  },
};

let made = 0;
function rig() {
  const rauc = new FakeRauc(join(folder, String(made++)));
  return { rauc, installer: new RaucInstaller([rauc.program], atOnce) };
}

describe("rauc", () => {
  test("ota: a bundle that it trusts, its board and version", async () => {
    const { rauc, installer } = rig();
    rauc.says("info", infoOf("bizra-amd64-cloud", "1.2.3"));
    expect(await installer.inspect("/new")).toEqual({ ok: true, value: { compatible: "bizra-amd64-cloud", version: "1.2.3" } });
    expect(rauc.asked).toEqual(["info --output-format=json /new"]);
  });

  test.each([
    ["signature verification failed: Verify error: self-signed certificate", "foreignSignature"],
    ["signature verification failed: error:1700009E:CMS routines::verification failure", "tampered"],
    ["signature verification failed: ECDSA digest_verify_final:", "tampered"],
    ["Invalid bundle format: Signature size is 0", "truncated"],
    ["Invalid bundle format: Signature size (8426843969956998286) exceeds bundle size", "truncated"],
    ["No such file: /new", "truncated"],
    ["something that nobody ever saw", "foreignSignature"],
  ])("ota: it says %p, %s", async (words, code) => {
    const { rauc, installer } = rig();
    rauc.says("refusal", `${words}\n`);
    const said = await installer.inspect("/new");
    expect(said).toEqual({ ok: false, error: { code: code as "tampered", detail: `the updater refuses it: ${words}` } });
  });

  test("ota: it says neither board nor version, or no JSON, malformed", async () => {
    for (const text of ["{}", "Compatible: x", '{"compatible":"","version":"1.0.0"}']) {
      const { rauc, installer } = rig();
      rauc.says("info", text);
      expect(await installer.inspect("/new")).toMatchObject({ ok: false, error: { code: "malformed" } });
    }
  });

  test("ota: the slots, by the boot loader's word on the other one alone", async () => {
    const { rauc, installer } = rig();
    rauc.says("status", statusOf("bad", "good"));
    expect(await installer.slots()).toEqual({ canGoBack: true });
    rauc.says("status", statusOf("good", "bad"));
    expect(await installer.slots()).toEqual({ canGoBack: false });
  });

  test("ota: no service behind it, said as a failure of the updater", async () => {
    const { installer } = rig();
    expect(installer.slots()).rejects.toThrow(InstallerFailed);
    const absent = new RaucInstaller([join(folder, "nothing-here")], atOnce);
    expect(absent.inspect("/new")).rejects.toThrow("cannot be started (ENOENT)");
  });

  test("ota: installed; busy with another one, asked again; failed, with its words", async () => {
    const { rauc, installer } = rig();
    rauc.says("busy", "");
    expect(await installer.install("/new")).toEqual({ ok: true, value: undefined });
    expect(rauc.asked).toEqual(["install /new", "install /new"]);
    rauc.says("failure", "LastError: Failed updating slot rootfs.1: No space left on device\n");
    expect(await installer.install("/new")).toMatchObject({
      ok: false,
      error: { code: "installFailed", detail: expect.stringContaining("No space left") },
    });
  });

  test("ota: marks in the order that leaves a slot to start from at any instant", async () => {
    const { rauc, installer } = rig();
    await installer.commit();
    await installer.turnBack();
    await installer.stay();
    expect(rauc.asked).toEqual(
      ["mark-good booted", "mark-active other", "mark-bad booted", "mark-active booted"].map((w) => `status ${w}`),
    );
    rauc.says("broken", "");
    expect(installer.commit()).rejects.toThrow("rauc status mark-good booted: Error creating proxy");
  });
});
