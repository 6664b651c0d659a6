import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { MachineReader, readInventory } from "../../../appliance/telemetry/index.ts";
import { ManualTime } from "../events/event-fixture.ts";

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A machine made of the files that a kernel shows. */
function machine(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "bizra-machine-"));
  folders.push(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const statOf = (user: number, system: number): string => `42 (bizra (x) y) S ${"0 ".repeat(10)}${user} ${system} 0 0`;

describe("telemetry: the machine's figures", () => {
  test("machine: a Raspberry Pi with eMMC, every figure as the kernel says it", () => {
    const root = machine({
      "proc/self/status": "VmRSS:\t  2048 kB\n",
      "proc/self/io": "write_bytes: 4096\n",
      "proc/self/stat": statOf(100, 50),
      "proc/loadavg": "0.52 0.4 0.3 1/200 1234\n",
      "proc/meminfo": "MemTotal: 100 kB\nMemAvailable:    3000 kB\n",
      "sys/class/thermal/thermal_zone0/temp": "48250\n",
      "sys/class/thermal/thermal_zone1/temp": "-273000\n",
      "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
      "sys/block/mmcblk0/device/life_time": "0x01 0x03\n",
      "run/systemd/timesync/synchronized": "",
    });
    const time = new ManualTime();
    const reader = new MachineReader(time, root);
    expect(reader.read()).toEqual({
      residentBytes: 2_097_152,
      writtenBytes: 4_096,
      cpuPercent: null,
      memoryAvailableBytes: 3_072_000,
      loadAverage: 0.52,
      temperatureCelsius: 48.3,
      isThrottled: true,
      storageWearPercent: 30,
      isClockSynchronized: true,
    });
    writeFileSync(join(root, "proc/self/stat"), statOf(150, 50));
    time.pass(2_000);
    expect(reader.read().cpuPercent).toBe(25);
  });

  test("machine: a processor's cooling device at work, throttled", () => {
    const cooler = (state: string) =>
      machine({ "sys/class/thermal/cooling_device0/type": "Processor\n", "sys/class/thermal/cooling_device0/cur_state": state });
    expect(new MachineReader(new ManualTime(), cooler("3\n")).read().isThrottled).toBe(true);
    expect(new MachineReader(new ManualTime(), cooler("0\n")).read().isThrottled).toBe(false);
  });

  test("machine: one that tells nothing, every figure is not known", () => {
    expect(Object.values(new MachineReader(new ManualTime(), machine({})).read()).every((value) => value === null)).toBe(true);
  });

  test("inventory: what device tree, DMI and the system's release file say; nothing where there is none", () => {
    const root = machine({
      "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
      "proc/cpuinfo": "processor\t: 0\nmodel name\t: Cortex-A72\nprocessor\t: 1\n",
      "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    });
    expect(readInventory(root)).toEqual({
      model: "Raspberry Pi 4 Model B Rev 1.4",
      processor: "Cortex-A72",
      cores: 2,
      system: "Debian GNU/Linux 12 (bookworm)",
    });
    expect(readInventory(machine({}))).toEqual({});
  });
});
