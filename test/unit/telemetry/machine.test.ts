import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type HardwareSource, MachineReader, readHardware, readInventory } from "../../../appliance/telemetry/index.ts";
import { systemTimers } from "../../../src/node/index.ts";
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
  test("machine: this process, memory and load, every figure as the kernel says it", () => {
    const root = machine({
      "proc/self/status": "VmRSS:\t  2048 kB\n",
      "proc/self/io": "write_bytes: 4096\n",
      "proc/self/stat": statOf(100, 50),
      "proc/loadavg": "0.52 0.4 0.3 1/200 1234\n",
      "proc/meminfo": "MemTotal: 100 kB\nMemAvailable:    3000 kB\n",
    });
    const time = new ManualTime();
    const reader = new MachineReader(time, root);
    expect(reader.read()).toEqual({
      residentBytes: 2_097_152,
      writtenBytes: 4_096,
      cpuPercent: null,
      memoryAvailableBytes: 3_072_000,
      loadAverage: 0.52,
    });
    writeFileSync(join(root, "proc/self/stat"), statOf(150, 50));
    time.pass(2_000);
    expect(reader.read().cpuPercent).toBe(25);
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

  const proc = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Cortex-A72\n",
    "proc/meminfo": "MemTotal:        3884000 kB\n",
    "sys/block/mmcblk0/size": "62333952\n",
    "sys/block/mmcblk0/device/name": "SD32G\n",
    "sys/block/mmcblk0boot0/size": "8192\n",
    "sys/block/loop0/size": "100\n",
  };
  const fromFiles = {
    processor: "Cortex-A72",
    cores: 1,
    memoryBytes: 3_977_216_000,
    disks: [{ device: "mmcblk0", name: "SD32G", bytes: 31_914_983_424 }],
  };

  test("hardware: what the programs of the machine say, over what its files do", async () => {
    const source: HardwareSource = {
      baseboard: async () => ({ manufacturer: "ACME", model: "To be filled by O.E.M." }),
      cpu: async () => ({ manufacturer: "ARM", brand: "Cortex-A72", physicalCores: 4, cores: 4 }),
      mem: () => Promise.reject(new Error("no such program")),
      diskLayout: async () => [{ device: "/dev/nvme0n1", type: "NVMe", name: "Fast 1", size: 1e12 }],
    };
    expect(await readHardware(new ManualTime(), async () => source, machine(proc))).toEqual({
      ...fromFiles,
      board: "ACME",
      processor: "ARM Cortex-A72",
      cores: 4,
      disks: [{ device: "nvme0n1", kind: "NVMe", name: "Fast 1", bytes: 1e12 }],
    });
  });

  test("hardware: no library, programs that fail or never end, what the files say", async () => {
    expect(await readHardware(new ManualTime(), () => Promise.reject(new Error("not there")), machine(proc))).toEqual(fromFiles);
    const time = new ManualTime();
    const waiting = readHardware(time, () => new Promise(() => {}), machine(proc));
    time.pass(15_000);
    expect(await waiting).toEqual(fromFiles);
    expect(await readHardware(new ManualTime(), () => Promise.reject(new Error("not there")), machine({}))).toEqual({});
  });

  test("hardware: this machine, its cores and memory at least", async () => {
    const { cores = 0, memoryBytes = 0 } = await readHardware(systemTimers);
    expect(cores).toBeGreaterThan(0);
    expect(memoryBytes).toBeGreaterThan(2 ** 24);
  });
});
