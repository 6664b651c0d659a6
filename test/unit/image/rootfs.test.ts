import { describe, expect, test } from "bun:test";
import { consolesOf } from "../../../image/boot/grub-config.ts";
import { INITRD_MODULES } from "../../../image/boot/initrd-script.ts";
import { ARCHITECTURES } from "../../../image/layout/partitions.ts";
import { makeAccounts } from "../../../image/rootfs/accounts.ts";
import { compatibleOf, type ImageIdentity, imageName, isVersion } from "../../../image/rootfs/identity.ts";
import { KEPT_MODULES } from "../../../image/rootfs/kept-modules.ts";
import { moduleName, modulesToKeep, modulesToLoad, parseModuleNeeds } from "../../../image/rootfs/kernel-modules.ts";
import { nodeFiles } from "../../../image/rootfs/node-files.ts";
import { systemFiles } from "../../../image/rootfs/system-files.ts";

const identity: ImageIdentity = { version: "1.2.3", architecture: "amd64", kernel: "generic", variant: "release" };
const files = [...systemFiles(identity), ...nodeFiles()];
const textOf = (path: string): string => {
  const file = files.find((each) => each.path === path);
  if (file?.kind !== "text") throw new Error(`there is no text ${path}`);
  return file.text;
};

describe("identity", () => {
  test("image: what must not be mixed up, is in the word that bundles are matched by", () => {
    const words = [
      compatibleOf(identity),
      compatibleOf({ ...identity, architecture: "arm64" }),
      compatibleOf({ ...identity, kernel: "cloud" }),
      compatibleOf({ ...identity, architecture: "arm64", board: "raspberry-pi" }),
      compatibleOf({ ...identity, variant: "development" }),
    ];
    expect(new Set(words).size).toBe(words.length);
    expect(words).toContain("bizra-arm64-raspberry-pi");
    expect(imageName({ ...identity, variant: "development" })).toBe("bizra-amd64-generic-development-1.2.3");
  });

  test("image: versions, are three numbers and maybe a word", () => {
    for (const good of ["0.1.0", "1.2.3-next", "10.20.30-rc.1"]) expect(isVersion(good)).toBe(true);
    for (const wrong of ["1.2", "v1.2.3", "1.2.3/..", "1.2.3-", "1.2.3 ", ""]) expect(isVersion(wrong)).toBe(false);
  });
});

describe("accounts", () => {
  test("image: declarations, become users and groups without passwords", () => {
    const { passwd, group, shadow, gshadow } = makeAccounts([
      '# users\nu root 0 - /root /bin/bash\ng nogroup 65534\nu _apt 42:65534 - /nonexistent\nu messagebus - "System Message Bus" /nonexistent',
      'u! systemd-network - "Network"\ng tty 5 -\nm messagebus tty\nr - 500-900\n',
    ]);
    expect(passwd).toBe(
      "root:x:0:0::/root:/bin/bash\n_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\nmessagebus:x:995:995:System Message Bus:/nonexistent:/usr/sbin/nologin\nsystemd-network:x:998:998:Network:/:/usr/sbin/nologin\n",
    );
    expect(group).toContain("tty:x:5:messagebus\n");
    expect(group).not.toContain("_apt");
    expect(gshadow).toContain("tty:!*::messagebus\n");
    for (const line of shadow.trim().split("\n")) expect(line.split(":")[1]).toBe("!*");
  });

  test("image: a user without a fixed number, stops the build, since files outlive releases", () => {
    expect(() => makeAccounts(["u newcomer - -"])).toThrow("fixed number for the system user or group newcomer");
    expect(() => makeAccounts(["x what 1"])).toThrow("expected a declaration");
  });
});

describe("kernel modules", () => {
  const needs = parseModuleNeeds(
    "kernel/fs/ext4/ext4.ko.xz: kernel/fs/mbcache.ko.xz kernel/fs/jbd2/jbd2.ko.xz\nkernel/fs/jbd2/jbd2.ko.xz:\nkernel/fs/mbcache.ko.xz:\nkernel/sound/snd.ko.xz:\nkernel/drivers/net/wireless/odd/wifi.ko.xz:\nkernel/drivers/md/dm-verity.ko.xz: kernel/drivers/md/dm-mod.ko.xz kernel/sound/odd.ko.xz\nkernel/drivers/md/dm-mod.ko.xz:\nkernel/sound/odd.ko.xz:\n",
  );

  test("image: modules to load, come after what they need, once each", () => {
    expect(modulesToLoad(needs, ["ext4", "dm-mod", "dm-verity", "absent"])).toEqual([
      "kernel/fs/jbd2/jbd2.ko.xz",
      "kernel/fs/mbcache.ko.xz",
      "kernel/fs/ext4/ext4.ko.xz",
      "kernel/drivers/md/dm-mod.ko.xz",
      "kernel/sound/odd.ko.xz",
      "kernel/drivers/md/dm-verity.ko.xz",
    ]);
    expect(moduleName("kernel/drivers/md/dm-verity.ko.xz")).toBe("dm_verity");
  });

  test("image: modules to keep, are those of wanted folders with what they need from others", () => {
    const kept = modulesToKeep(needs);
    expect(kept.has("kernel/sound/odd.ko.xz")).toBe(true);
    expect(kept.has("kernel/sound/snd.ko.xz")).toBe(false);
    expect(kept.has("kernel/fs/mbcache.ko.xz")).toBe(true);
    expect(kept.has("kernel/drivers/net/wireless/odd/wifi.ko.xz")).toBe(false);
  });

  test("image: the list of kept modules, has each once, in order, and all that the first root loads", () => {
    expect([...KEPT_MODULES].sort()).toEqual([...KEPT_MODULES]);
    const covered = (path: string): boolean => KEPT_MODULES.some((kept) => path === kept || path.startsWith(`${kept}/`));
    for (const path of [
      "drivers/mmc/host/sdhci-iproc",
      "drivers/nvme/host/nvme",
      "drivers/ata/ahci",
      "drivers/usb/storage/uas",
      "fs/ext4/ext4",
    ])
      expect([path, covered(path)]).toEqual([path, true]);
  });

  test("image: the first root loads, checksums before what asks for them and processors' hashes before the verified root", () => {
    const at = (name: (typeof INITRD_MODULES)[number]): number => INITRD_MODULES.indexOf(name);
    for (const name of ["erofs", "ext4"] as const) expect(at("crc32c_generic")).toBeLessThan(at(name));
    for (const name of ["sha256-ssse3", "sha256-arm64", "sha2-ce"] as const) expect(at(name)).toBeLessThan(at("dm-verity"));
  });
});

describe("files", () => {
  test("image: every path, is given once and stays below the root", () => {
    const paths = files.map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
    for (const path of paths) expect(path).toMatch(/^(etc|usr)\/(?!.*\.\.)/);
  });

  test("image: every unit that a target wants, is one of ours or of a path below systemd's own", () => {
    for (const file of files) {
      if (file.kind !== "link" || !file.path.includes(".wants/")) continue;
      const own = file.target.startsWith("../") ? `etc/systemd/system/${file.target.slice(3)}` : undefined;
      if (own === undefined) expect(file.target).toMatch(/^\/usr\/lib\/systemd\/system\/[a-z-]+\.service$/);
      else expect(files.some(({ path }) => path === own)).toBe(true);
    }
  });

  test("image: the node's unit, is watched, bounded and without rights", () => {
    const unit = textOf("etc/systemd/system/bizra-node.service");
    for (const line of [
      "Type=notify",
      "WatchdogSec=30s",
      "WatchdogSignal=SIGKILL",
      "StartLimitAction=reboot",
      "MemoryMax=512M",
      "CapabilityBoundingSet=",
      "ProtectSystem=strict",
      "User=bizra",
    ])
      expect(unit.split("\n")).toContain(line);
    expect(unit).not.toContain("MemoryDenyWriteExecute"); // the runtime compiles as it goes
  });

  test("image: the updater, takes only bundles of its kind, and knows both pairs of slots", () => {
    const config = textOf("etc/rauc/system.conf");
    expect(config).toContain("compatible=bizra-amd64-generic\n");
    expect(config).toContain("bundle-formats=verity\n");
    expect(config).toContain("bootloader=custom\n");
    const [, backend = ""] = /^bootloader-custom-backend=\/(.*)$/m.exec(config) ?? [];
    expect(textOf(backend)).toStartWith("#!/bin/sh\n");
    for (const label of ["root-A", "boot-A", "root-B", "boot-B"]) expect(config).toContain(`device=/dev/bizra/${label}\n`);
  });

  test("image: the node's unit, may read slots and no other device; a rule opens them to its user alone", () => {
    const devices = textOf("etc/systemd/system/bizra-node.service")
      .split("\n")
      .filter((line) => line.startsWith("Device"));
    expect(devices).toContain("DevicePolicy=closed");
    for (const line of devices.filter((each) => each.startsWith("DeviceAllow"))) expect(line).toMatch(/^DeviceAllow=block-[a-z]+ r$/);
    expect(textOf("etc/udev/rules.d/91-bizra-slots.rules")).toContain('=="root-[AB]|boot-[AB]", GROUP="bizra", MODE="0640"');
  });

  test("image: a slot that nobody judges, is restarted by a timer that asks for nothing but the counters' word", () => {
    expect(textOf("etc/systemd/system/bizra-uncommitted.timer")).toContain("OnBootSec=10min");
    expect(textOf("etc/systemd/system/bizra-uncommitted.service")).toContain("ExecCondition=/usr/lib/bizra/boot-counters is-uncommitted");
  });

  test("image: the hardware's watchdog, is asked for no more than a Raspberry Pi's can count to", () => {
    const watchdogOf = (of: ImageIdentity): readonly string[] =>
      systemFiles(of).flatMap((file) => (file.path.endsWith("watchdog.conf") && file.kind === "text" ? file.text.split("\n") : []));
    expect(watchdogOf(identity)).toContain("RuntimeWatchdogSec=30s");
    for (const word of ["RuntimeWatchdogSec", "RebootWatchdogSec"])
      expect(watchdogOf({ ...identity, architecture: "arm64", board: "raspberry-pi" })).toContain(`${word}=14s`);
  });

  test("image: every serial port that the kernel writes to, has no login on it", () => {
    const consoles = ARCHITECTURES.flatMap((architecture) => consolesOf(architecture)).filter(
      (name) => name.startsWith("tty") && name !== "tty0",
    );
    for (const name of consoles)
      expect(files).toContainEqual({
        kind: "link",
        path: `etc/systemd/system/serial-getty@${name.replace(/,.*/, "")}.service`,
        target: "/dev/null",
      });
  });

  test("image: os-release, says version and variant", () => {
    const text = textOf("etc/os-release");
    for (const line of ["IMAGE_VERSION=1.2.3", "VARIANT_ID=release", "ID=bizra"]) expect(text.split("\n")).toContain(line);
  });
});
