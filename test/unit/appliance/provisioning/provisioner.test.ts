import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { linuxFiles, MEDIUM } from "../../../../appliance/provisioning/index.ts";
import { FakeBox, planText, TOKEN } from "./fake-box.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-provisioning-"));
afterAll(() => rmSync(folder, { recursive: true }));

const codeIn = (text: string): string | undefined => /one-time code: ([0-9A-Z-]{14})\r\n/.exec(text)?.[1];

/** A box that has come to rest with this plan on its medium. */
async function boxWith(plan?: string): Promise<FakeBox> {
  const box = new FakeBox();
  if (plan !== undefined) box.put(MEDIUM.document, plan);
  await box.rest();
  return box;
}

describe("provisioning", () => {
  test("provisioning: a new box without a plan, keys made, its fingerprint and a code in status.txt, ASCII with Windows' line ends", async () => {
    const box = await boxWith();
    expect(box.provisioner.status.state).toBe("keyed");
    expect(box.statusText).toContain("waits for provision.json");
    expect(box.statusText).toMatch(/Identity fingerprint: ([0-9a-f]{4}-){7}[0-9a-f]{4}\r\n/);
    expect(codeIn(box.statusText)).toBe(box.provisioner.adminCode);
    expect(box.statusText).toMatch(/^([\x20-\x7e]*\r\n)+$/);
    expect(box.statusText).toContain("http://192.168.1.20:8080");
  });

  test("provisioning: a plan with mistakes, each told and nothing changed; the corrected one taken at the next look", async () => {
    const box = await boxWith(planText({ hostname: "Mill 7", ntp: [] }));
    const before = new Map(box.disk.files);
    expect(box.provisioner.status.state).toBe("keyed");
    expect(box.statusText).toContain("provision.json has 2 mistakes; nothing was changed:\r\n  - hostname: expected a host name");
    expect(box.statusText).toContain("  - ntp: expected a list of 1 to 4 time servers, got an empty list.\r\n");
    expect(box.disk.files.has("/system/hostname")).toBe(false);
    await box.rest();
    expect(new Map(box.disk.files)).toEqual(before); // nor is status.txt written again and again
    box.put(MEDIUM.document, planText());
    await box.rest();
    expect(box.provisioner.status.state).toBe("ready");
    expect(box.disk.files.get("/system/hostname")).toBe("mill-7\n");
    expect(box.medium(MEDIUM.document)).toBeUndefined();
    expect(JSON.parse(box.medium(MEDIUM.retired) ?? "")).toMatchObject({ hostname: "mill-7" });
    expect([...box.disk.files.values()].filter((text) => text.includes(TOKEN))).toEqual([]);
  });

  test("provisioning: network and time, as networkd and timesyncd read them", async () => {
    const box = await boxWith(planText());
    expect(box.disk.files.get("/system/systemd/network/10-bizra.network")).toEndWith(
      "[Match]\nType=ether\nKind=!*\n\n[Network]\nAddress=192.168.1.20/24\nGateway=192.168.1.1\nDHCP=no\nDNS=192.168.1.1\nMulticastDNS=yes\nIPv6PrivacyExtensions=no\n",
    );
    expect(box.disk.files.get("/system/systemd/timesyncd.conf.d/10-bizra.conf")).toEndWith("[Time]\nNTP=time.example\n");
    box.put(MEDIUM.document, planText({ network: undefined, ntp: undefined, aggregator: undefined, token: undefined }));
    await box.rest();
    expect([...box.disk.files.keys()].filter((path) => path.startsWith("/system/systemd"))).toEqual([]);
  });

  test("provisioning: a plan for another chain, told, nothing changed", async () => {
    const box = await boxWith(planText({ chain: { genesis: "12".repeat(32), role: "validator" } }));
    expect(box.provisioner.status.state).toBe("keyed");
    expect(box.statusText).toContain("  - chain.genesis: expected abab");
    expect(box.disk.files.has("/home/settings")).toBe(false);
  });

  test("provisioning: a token that the aggregator refuses, its word in status.txt, not tried again until the file changes", async () => {
    const other = "bzct_another-token-that-nobody-made";
    const box = await boxWith(planText({ token: other }));
    expect(box.provisioner.status.state).toBe("keyed");
    expect(box.statusText).toContain("not taken by the aggregator: unknownToken: the token is not known.");
    expect([...box.disk.files].filter(([path, text]) => path !== "/medium/provision.json" && text.includes(other))).toEqual([]);
    const { writes } = box.disk;
    await box.rest();
    expect(box.disk.writes).toBe(writes);
    box.put(MEDIUM.document, planText());
    await box.rest();
    expect(box.provisioner.status.state).toBe("ready");
    expect(box.statusText).not.toContain("not taken");
  });

  test("provisioning: an aggregator that nobody reaches, told; a corrected plan takes its place, and the old attempt has no effect", async () => {
    const box = new FakeBox();
    box.aggregator.isReachable = false;
    box.put(MEDIUM.document, planText({ aggregator: { url: "https://wrong.example", caPin: "cd".repeat(32) } }));
    await box.rest();
    expect(box.provisioner.status.state).toBe("claimed");
    expect(box.statusText).toContain("Enrolling at https://wrong.example: nobody answers.");
    box.aggregator.isReachable = true;
    box.put(MEDIUM.document, planText());
    await box.rest();
    expect(box.provisioner.status.state).toBe("ready");
    expect(box.disk.files.get("/home/enrolled")).toBe("https://fleet.example:8700");
  });

  test("provisioning: a faulty file while one is being carried out, told, and the one that was taken goes on", async () => {
    const box = new FakeBox();
    box.aggregator.isReachable = false;
    box.put(MEDIUM.document, planText());
    await box.rest();
    box.put(MEDIUM.document, "{");
    await box.rest();
    expect(box.statusText).toContain("provision.json has a mistake; nothing was changed:");
    box.aggregator.isReachable = true;
    box.reboot();
    await box.rest();
    expect(box.provisioner.status.state).toBe("ready");
    expect(box.medium(MEDIUM.document)).toBe("{"); // what is not the plan that was taken is left alone
  });

  test("provisioning: a name that Windows made longer, told how to mend it", async () => {
    const box = await boxWith();
    box.put("provision.json.txt", planText());
    await box.rest();
    expect(box.provisioner.status.state).toBe("keyed");
    expect(box.statusText).toContain("There is a file provision.json.txt, which is not read: rename it to provision.json");
  });

  test("provisioning: the code used, another at once while nobody has a password; with one, on request alone", async () => {
    const box = await boxWith();
    const first = box.provisioner.adminCode;
    box.provisioner.useCode();
    expect(box.provisioner.adminCode).toBeUndefined();
    expect(box.statusText).not.toContain(first ?? "none");
    await box.rest();
    const second = box.provisioner.adminCode;
    expect([second, codeIn(box.statusText)]).toEqual([expect.stringMatching(/^[0-9A-Z-]{14}$/), second]);
    expect(second).not.toBe(first);
    box.node.password = true;
    box.provisioner.useCode();
    await box.rest();
    expect(box.statusText).toContain("put an empty file named new-code.txt here");
    box.put("new-code.txt", "");
    await box.rest();
    expect(codeIn(box.statusText)).toBe(box.provisioner.adminCode);
    expect(box.medium("new-code.txt")).toBeUndefined();
  });

  test("provisioning: a plan proposed by the console, faults given back, a good one carried out like any other", async () => {
    const box = await boxWith();
    expect(box.provisioner.propose("{}")).toMatchObject({
      ok: false,
      error: expect.arrayContaining([expect.stringContaining("hostname: ")]),
    });
    expect(box.medium(MEDIUM.document)).toBeUndefined();
    expect(box.provisioner.propose(planText())).toEqual({ ok: true, value: undefined });
    await box.rest();
    expect(box.provisioner.status).toMatchObject({ state: "ready", plan: { hostname: "mill-7" } });
    expect(JSON.stringify(box.provisioner.status)).not.toContain(TOKEN);
  });

  test("provisioning: an enrolled box, its network changed without a token; another aggregator asks for one", async () => {
    const box = await boxWith(planText());
    box.put(MEDIUM.document, planText({ token: undefined, network: { method: "dhcp" } }));
    await box.rest();
    expect(box.provisioner.status).toMatchObject({
      state: "ready",
      plan: { network: { method: "dhcp" }, aggregator: { url: "https://fleet.example:8700" } },
    });
    box.put(MEDIUM.document, planText({ token: undefined, aggregator: { url: "https://other.example", caPin: "cd".repeat(32) } }));
    await box.rest();
    expect(box.statusText).toContain("  - token: expected the token");
  });

  test("provisioning: a medium that is not there, the box goes its way and writes nothing in its place", async () => {
    const box = new FakeBox();
    box.disk.folders.clear();
    await box.rest();
    expect(box.provisioner.status.state).toBe("keyed");
    expect(box.medium(MEDIUM.status)).toBeUndefined();
  });

  test("provisioning: a record that is damaged, the beginning with the keys that are there", async () => {
    const box = await boxWith(planText());
    const { keys } = box.provisioner.status;
    box.disk.files.set("/record", '{"version":1,"state":"re');
    box.reboot();
    await box.rest();
    expect(box.provisioner.status).toMatchObject({ state: "keyed", keys });
  });

  test("provisioning: files of this machine, replaced with their mode, blanked in place, renamed and removed", () => {
    const path = join(folder, "a/b.json");
    expect(linuxFiles.read(path, 10)).toBeUndefined();
    linuxFiles.replace(path, "a secret of many bytes", 0o600);
    expect([readFileSync(path, "utf8"), statSync(path).mode & 0o777, existsSync(`${path}.new`)]).toEqual([
      "a secret of many bytes",
      0o600,
      false,
    ]);
    expect(linuxFiles.read(path, 3)).toHaveLength(4);
    linuxFiles.rename(path, `${path}.old`);
    const { ino } = statSync(`${path}.old`);
    linuxFiles.blank(`${path}.old`);
    expect([readFileSync(`${path}.old`, "utf8"), statSync(`${path}.old`).ino]).toEqual([" ".repeat(22), ino]);
    linuxFiles.remove(`${path}.old`);
    linuxFiles.remove(`${path}.old`);
    linuxFiles.blank(`${path}.old`);
    expect(existsSync(`${path}.old`)).toBe(false);
    mkdirSync(join(folder, "c"));
    writeFileSync(join(folder, "c/d"), "");
    expect([linuxFiles.hasFolder(join(folder, "c")), linuxFiles.hasFolder(join(folder, "e"))]).toEqual([true, false]);
    expect(linuxFiles.read(join(folder, "c/d/e"), 1)).toBeUndefined();
  });
});
