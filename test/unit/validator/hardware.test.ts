import { afterEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { readHardwareParts } from "../../../src/validator/index.ts";

const roots: string[] = [];

/** A file system's root with these files in it. */
function rootWith(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "bizra-hardware-"));
  roots.push(root);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

test("hardware: a PC, says its installation, board, disks and cards", () => {
  const root = rootWith({
    "etc/machine-id": "3d1219c7c4c5404aaa1f6d2a48adfda4\n",
    "sys/class/dmi/id/product_uuid": "4C4C4544-0042-3510-8054-B2C04F4D3332\n",
    "sys/block/nvme0n1/wwid": "eui.0025385b01400a1b\n",
    "sys/block/sda/device/wwid": "naa.5000c500a1b2c3d4\n",
    "sys/block/loop0/device/serial": "ABCD1234\n",
    "sys/class/net/eth0/addr_assign_type": "0\n",
    "sys/class/net/eth0/address": "52:54:00:AB:CD:EF\n",
    "sys/class/net/eth0/device/vendor": "0x8086\n",
    "sys/class/net/br0/addr_assign_type": "0\n",
    "sys/class/net/br0/address": "52:54:00:00:00:01\n",
    "sys/class/net/veth1/addr_assign_type": "3\n",
    "sys/class/net/veth1/address": "52:54:00:00:00:02\n",
    "sys/class/net/veth1/device/vendor": "x\n",
  });
  expect(readHardwareParts(root)).toEqual({
    machineId: ["3d1219c7c4c5404aaa1f6d2a48adfda4"],
    productUuid: ["4c4c4544-0042-3510-8054-b2c04f4d3332"],
    disks: ["eui.0025385b01400a1b", "naa.5000c500a1b2c3d4"],
    cards: ["52:54:00:ab:cd:ef"],
  });
});

test("hardware: a board with a system on a chip, says its serial number and its card's", () => {
  const root = rootWith({
    "proc/device-tree/serial-number": "10000000a3c1d2e4\0",
    "sys/block/mmcblk0/device/cid": "1b534d454231515430a1b2c3d4014600\n",
    "sys/block/mmcblk0/device/serial": "0xa1b2c3d4\n",
  });
  expect(readHardwareParts(root)).toEqual({ deviceTree: ["10000000a3c1d2e4"], disks: ["1b534d454231515430a1b2c3d4014600"] });
});

test("hardware: what makers leave in place of a serial number, is not said", () => {
  const placeholders = [
    "To Be Filled By O.E.M.",
    "Default string",
    "None",
    "00000000",
    "0123456789",
    "System Serial Number",
    "Not Specified",
  ];
  for (const text of placeholders) {
    const root = rootWith({ "sys/class/dmi/id/board_serial": `${text}\n`, "sys/class/dmi/id/product_serial": `${text}\n` });
    expect([text, readHardwareParts(root)]).toEqual([text, {}]);
  }
  const shared = rootWith({ "sys/class/dmi/id/product_uuid": "03000200-0400-0500-0006-000700080009\n" });
  expect(readHardwareParts(shared)).toEqual({});
});

test("hardware: nothing to read, says nothing and does not throw", () => {
  expect(readHardwareParts(rootWith({}))).toEqual({});
  expect(readHardwareParts("/nowhere/at/all")).toEqual({});
});

test("hardware: this machine asked twice, says the same", () => {
  expect(readHardwareParts()).toEqual(readHardwareParts());
});
