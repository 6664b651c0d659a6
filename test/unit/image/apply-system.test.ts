/** The program of root's that applies settings, over files that the node's user may have written with any intent. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type ProvisionDocument, parseProvision } from "../../../appliance/provisioning/index.ts";
import { systemFilesOf } from "../../../appliance/provisioning/system-files.ts";
import { APPLY_SYSTEM } from "../../../image/rootfs/system-settings.ts";
import { present } from "../../../src/kernel/index.ts";

const NETWORK = "systemd/network/10-bizra.network";
const TIME = "systemd/timesyncd.conf.d/10-bizra.conf";
const IN_FORCE = { network: "network/10-bizra.network", time: "timesyncd.conf.d/10-bizra.conf" } as const;

let folder = "";
let program = "";
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bizra-apply-"));
  program = join(folder, "apply-system");
  writeFileSync(program, APPLY_SYSTEM, { mode: 0o755 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A box: what provisioning wrote, and what is in force. */
class Box {
  readonly settings = join(folder, `settings-${count}`);
  readonly system = join(folder, `system-${count++}`);

  write(path: string, text: string | Uint8Array): string {
    const full = join(this.settings, path);
    mkdirSync(dirname(full), { recursive: true });
    rmSync(full, { force: true });
    writeFileSync(full, text);
    return full;
  }

  async apply(): Promise<{ readonly name: string; readonly said: string }> {
    const child = Bun.spawn({
      cmd: ["bash", program],
      env: { PATH: process.env["PATH"], BIZRA_SETTINGS: this.settings, BIZRA_SYSTEM: this.system },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [name, said] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    expect(await child.exited).toBe(0);
    return { name: name.trim(), said };
  }

  inForce(path: string): string | undefined {
    const full = join(this.system, path);
    return existsSync(full) ? readFileSync(full, "utf8") : undefined;
  }
}

/** A plan as a person writes it, judged. */
function plan(values: object): ProvisionDocument {
  const text = JSON.stringify({ schema: 1, hostname: "mill-7", chain: { genesis: "ab".repeat(32), role: "observer" }, ...values });
  const parsed = parseProvision(new TextEncoder().encode(text));
  if (!parsed.ok) throw new Error(parsed.error.join());
  return parsed.value;
}

const PLANS = {
  static: { network: { method: "static", address: "192.168.1.20/24", gateway: "192.168.1.1", dns: ["192.168.1.1", "9.9.9.9"] } },
  six: { network: { method: "static", interface: "eth0", address: "2001:db8::20/64", gateway: "fe80::1", dns: ["2620:fe::fe"] } },
  dhcp: {
    network: { method: "dhcp", dns: ["1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4"] },
    ntp: ["time.example", "192.168.1.1", "2001:db8::1"],
  },
  time: { ntp: ["a.pool.ntp.example"] },
} as const;

describe("settings of a plan", () => {
  for (const [name, values] of Object.entries(PLANS)) {
    test(`image: a plan (${name}), comes in force with every line that it stands for`, async () => {
      const box = new Box();
      const files = systemFilesOf(plan(values));
      for (const [path, text] of Object.entries(files)) if (text !== undefined) box.write(path, text);
      expect(await box.apply()).toEqual({ name: "mill-7", said: "" });
      const lines = (text: string | undefined): string[] => (text ?? "").split("\n").filter((line) => line !== "" && !line.startsWith("#"));
      expect(lines(box.inForce(IN_FORCE.network))).toEqual(lines(files[NETWORK]));
      expect(lines(box.inForce(IN_FORCE.time))).toEqual(lines(files[TIME]));
      if (files[NETWORK] !== undefined) expect(statSync(join(box.system, IN_FORCE.network)).mode & 0o777).toBe(0o644);
    });
  }

  test("image: a plan without network or time servers, takes those of the last one away", async () => {
    const box = new Box();
    box.write("hostname", "mill-7\n");
    const network = box.write(NETWORK, present(systemFilesOf(plan(PLANS.static))[NETWORK], "the plan has a network"));
    await box.apply();
    expect(box.inForce(IN_FORCE.network)).toContain("Address=192.168.1.20/24\n");
    rmSync(network);
    await box.apply();
    expect(box.inForce(IN_FORCE.network)).toBeUndefined();
  });

  test("image: a box that was told nothing, or forgot it, has the name of the image", async () => {
    expect(await new Box().apply()).toEqual({ name: "bizra", said: "" });
  });
});

describe("settings of somebody who has the node's user", () => {
  const good = present(systemFilesOf(plan(PLANS.static))[NETWORK], "the plan has a network");
  const hostile: Readonly<Record<string, string | Uint8Array>> = {
    "a key that is none of a plan's": `${good}IPForward=yes\n`,
    "a bridge to another network": `${good}Bridge=br0\n`,
    "a section that is none of a plan's": `${good}[Route]\nDestination=0.0.0.0/0\n`,
    "a section again": `${good}[Network]\n`,
    "no section at the top": good.replace("[Match]\n", ""),
    "a match of every interface": good.replace("Type=ether", "Name=*"),
    "a match of several interfaces": good.replace("Type=ether", "Name=eth0 lo"),
    "a second address": `${good}Address=10.0.0.1/8\n`,
    "five name servers": `${good}DNS=1.1.1.1\nDNS=1.1.1.2\nDNS=1.1.1.3\n`,
    "a name server by name, which is looked up": `${good}DNS=1.1.1.1#dns.example\n`,
    "a line that goes on in the next": good.replace("DHCP=no\n", "DHCP=no\\\nIPForward=yes\n"),
    "a blank before the key": good.replace("DHCP=no", " DHCP=no"),
    "a carriage return": good.replace("DHCP=no\n", "DHCP=no\r\n"),
    "a zero byte within a line": new TextEncoder().encode(good.replace("DHCP=no\n", "DHCP=no\0\n")),
    "bytes that are no text": new Uint8Array([0xff, 0xfe, 0x0a]),
    "an address with a command in it": good.replace("192.168.1.20/24", "$(reboot)/24"),
    "an address out of range": good.replace("192.168.1.20/24", "192.168.1.256/24"),
    "more than 4096 bytes, the first of them good": good + "#".repeat(4_096),
  };
  for (const [what, text] of Object.entries(hostile)) {
    test(`image: a network file with ${what}, changes nothing and is told of`, async () => {
      const box = new Box();
      box.write(NETWORK, good);
      await box.apply();
      const before = box.inForce(IN_FORCE.network);
      box.write(NETWORK, text);
      const { said } = await box.apply();
      expect(said).toMatch(/^bizra-system: systemd\/network\/10-bizra\.network (has|is) .*; it is not taken\n$/);
      expect(box.inForce(IN_FORCE.network)).toBe(before);
      expect(existsSync(join(box.system, `${IN_FORCE.network}.new`))).toBe(false);
    });
  }

  test("image: a time file with another key, another section or a command, changes nothing", async () => {
    for (const text of [
      "[Time]\nNTP=a.example\nSaveIntervalSec=1\n",
      "[Time]\nNTP=a.example\nNTP=b.example\n",
      "[Time]\nNTP=`id`\n",
      "[Service]\nExecStart=/bin/sh\n",
      "NTP=a.example\n",
      "[Time]\nNTP=-a.example\n",
    ]) {
      const box = new Box();
      box.write(TIME, text);
      expect((await box.apply()).said).toContain("it is not taken");
      expect(box.inForce(IN_FORCE.time)).toBeUndefined();
    }
  });

  test("image: a link, a folder and a pipe, are not followed, and tell nothing of what is behind", async () => {
    const secret = join(folder, "secret");
    writeFileSync(secret, good);
    for (const make of [
      (path: string) => symlinkSync(secret, path),
      (path: string) => mkdirSync(path),
      (path: string) => void Bun.spawnSync(["mkfifo", path]),
    ]) {
      const box = new Box();
      mkdirSync(join(box.settings, dirname(NETWORK)), { recursive: true });
      make(join(box.settings, NETWORK));
      expect((await box.apply()).said).toBe(`bizra-system: ${NETWORK} is no plain file of at most 4096 bytes; it is not taken\n`);
      expect(box.inForce(IN_FORCE.network)).toBeUndefined();
    }
  });

  test("image: a host name that is none, leaves the name as it is", async () => {
    for (const text of ["../../etc", "-mill", "mill-", "Mill", "mill 7", "mill\n7", "7", "", "a".repeat(64), "$(reboot)", "mill\0"]) {
      const box = new Box();
      box.write("hostname", text);
      const { name, said } = await box.apply();
      expect([text, name]).toEqual([text, ""]);
      expect(said).toContain("hostname is no host name");
    }
  });

  test("image: files that no plan has, are not looked at", async () => {
    const box = new Box();
    for (const path of ["systemd/network/99-other.network", "systemd/system/evil.service", "ssh/authorized_keys", "passwd"])
      box.write(path, good);
    expect((await box.apply()).said).toBe("");
    expect(existsSync(box.system)).toBe(false);
  });
});
