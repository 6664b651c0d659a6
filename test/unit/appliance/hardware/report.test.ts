import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findingsOf, HardwareFiguresReader, linuxSource, readReport } from "../../../../appliance/hardware/index.ts";
import { systemTimers } from "../../../../src/node/index.ts";
import { FixedSource, PI, SMART_NVME, SMART_SATA, X86 } from "./fixed-source.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-hardware-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("hardware", () => {
  test("hardware: a Raspberry Pi with eMMC, its report, and what a person should know of it", async () => {
    const source = new FixedSource(PI);
    const report = await readReport(source, ["/data/home", "/provision"]);
    expect(report).toEqual({
      model: "Raspberry Pi Compute Module 4 Rev 1.1",
      storage: [{ device: "mmcblk0", source: "emmc", usedPercent: 30, reserve: "warning" }],
      readOnly: [],
      thermal: { celsius: 82.3, isThrottled: true, isUndervolted: true, hasThrottled: true, hasUndervolted: true },
      clock: { isSynchronized: true, service: "timesyncd", hasRealTimeClock: false },
      watchdog: { name: "Broadcom BCM2835 Watchdog timer", timeoutSeconds: 15, isRunning: true, hasRestarted: false },
    });
    expect(source.asked.filter((words) => words.startsWith("vcgencmd"))).toEqual([]); // its file says it
    expect(findingsOf(report).map(({ severity, detail }) => [severity, detail.split(";")[0]])).toEqual([
      ["warning", "mmcblk0 has used most of its spare blocks"],
      ["warning", "the power supply gives too little voltage"],
      ["warning", "the box is at 82.3 degrees Celsius"],
      ["notice", "there is no clock that goes on without power"],
    ]);
  });

  test("hardware: the Pi under another kernel, the firmware's program asked", async () => {
    const { "sys/devices/platform/soc/soc:firmware/get_throttled": _word, ...files } = PI;
    const report = await readReport(new FixedSource(files, { "vcgencmd get_throttled": "throttled=0x50000\n" }), []);
    expect(report.thermal).toEqual({ celsius: 82.3, isThrottled: false, isUndervolted: false, hasThrottled: true, hasUndervolted: true });
  });

  test("hardware: what the firmware says of Secure Boot, is in the report, and nothing where it says nothing", async () => {
    const variable = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
    const said = async (text: string): Promise<boolean | undefined> =>
      (await readReport(new FixedSource({ ...X86, [variable]: text }), [])).isSecureBoot;
    expect(await said("\u0006\0\0\0\u0001")).toBe(true);
    expect(await said("\u0006\0\0\0\0")).toBe(false);
    expect(await said("\u0006\0\0\0")).toBeUndefined();
    expect((await readReport(new FixedSource(X86), [])).isSecureBoot).toBeUndefined();
  });

  test("hardware: an x86 box, SMART of its disks, chrony, TPM, and the restart that its watchdog did", async () => {
    const source = new FixedSource(X86, {
      "smartctl -j -H -A /dev/nvme0n1": SMART_NVME,
      "smartctl -j -H -A /dev/sda": SMART_SATA,
      "chronyc -c -n tracking": "7F7F0101,,0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised\n",
    });
    const report = await readReport(source, ["/var/lib/bizra"]);
    expect(report).toMatchObject({
      model: "NUC11TNKi5",
      storage: [
        { device: "nvme0n1", usedPercent: 7, isHealthy: true },
        { device: "sda", usedPercent: 87, isHealthy: false },
      ],
      clock: { isSynchronized: false, service: "chrony", hasRealTimeClock: true },
      watchdog: { name: "iTCO_wdt", isRunning: false, hasRestarted: true },
      tpm: 2,
      thermal: { celsius: 41, isThrottled: false },
    });
    expect(findingsOf(report).map(({ severity, detail }) => [severity, detail.split(";")[0]])).toEqual([
      ["error", "sda says that it fails"],
      ["warning", "sda has used 87 % of its life"],
      ["warning", "the clock is not set over the network"],
      ["warning", "the watchdog restarted this machine"],
    ]);
  });

  test("hardware: a file system that turned read-only, the first thing said", async () => {
    const mounts = (PI["proc/mounts"] ?? "").replace("ext4 rw", "ext4 ro");
    const report = await readReport(new FixedSource({ ...PI, "proc/mounts": mounts }), ["/data/home"]);
    expect(findingsOf(report)[0]).toEqual({
      severity: "error",
      detail: "/data cannot be written to, as when its disk fails; look at the kernel's log, and replace the disk",
    });
    expect(new HardwareFiguresReader(new FixedSource({ ...PI, "proc/mounts": mounts }), ["/data/home"]).read().isStorageReadOnly).toBe(
      true,
    );
  });

  test("hardware: figures for the sampler, from files alone; a machine that tells nothing, nothing known", () => {
    const source = new FixedSource(PI);
    expect(new HardwareFiguresReader(source, ["/data/home"]).read()).toEqual({
      temperatureCelsius: 82.3,
      isThrottled: true,
      isUndervolted: true,
      storageWearPercent: 30,
      storageReserve: 2,
      isStorageReadOnly: false,
      isClockSynchronized: true,
    });
    expect(source.asked).toEqual([]);
    const nothing = new HardwareFiguresReader(new FixedSource({}), ["/"]).read();
    expect(Object.values(nothing).every((value) => value === null)).toBe(true);
  });

  test("hardware: files of a real folder, absent ones and folders read as nothing; a program's output, and one that is not there", async () => {
    mkdirSync(dirname(join(folder, "sys/class/tpm/tpm0/x")), { recursive: true });
    writeFileSync(join(folder, "sys/class/tpm/tpm0/tpm_version_major"), "2\n");
    const source = linuxSource(systemTimers, folder);
    expect([source.text("sys/class/tpm/tpm0/tpm_version_major"), source.text("sys"), source.text("proc/none")]).toEqual(["2\n", "", ""]);
    expect([source.list("sys/class"), source.list("nowhere")]).toEqual([["tpm"], []]);
    expect(await source.run(["echo", "said"])).toBe("said\n");
    expect(await source.run(["bizra-no-such-program"])).toBeUndefined();
  });

  test("hardware: this machine, whatever it is, a report", async () => {
    const report = await readReport(linuxSource(systemTimers), [folder]);
    expect(report.readOnly).toEqual([]);
    expect(Array.isArray(findingsOf(report))).toBe(true);
  }, 120_000);
});
