import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createSecretKey } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buildImage } from "../../../image/build.ts";
import { packagesOf } from "../../../image/debian/package-sets.ts";
import { checkFirmware, firmwareConfig, firmwareFiles } from "../../../image/raspberry-pi/firmware-files.ts";
import { ImageFailure } from "../../../image/tools.ts";

let folder = "";
const put = (path: string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), path);
};
const CONTENTS = [
  "usr/lib/raspi-firmware/start4.elf",
  "usr/lib/raspi-firmware/fixup4.dat",
  "usr/lib/raspi-firmware/start.elf",
  "usr/lib/raspi-firmware/overlays/rpi-poe-plus-hat.dtbo",
  "usr/lib/raspi-firmware/overlays/README.md",
  "usr/lib/u-boot/rpi_arm64/u-boot.bin",
  "usr/share/doc/raspi-firmware/copyright",
  ...["bcm2711-rpi-4-b", "bcm2711-rpi-400", "bcm2711-rpi-cm4-io", "bcm2837-rpi-3-b"].map((board) => `trees/${board}.dtb`),
];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bizra-firmware-"));
  for (const path of CONTENTS) put(path);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("firmware of a Raspberry Pi", () => {
  test("image: its first partition, gets the firmware, U-Boot, the boards' descriptions and settings", () => {
    const files = firmwareFiles(folder, join(folder, "trees"));
    expect([...files.keys()].sort()).toEqual([
      "LICENCE.TXT",
      "bcm2711-rpi-4-b.dtb",
      "bcm2711-rpi-400.dtb",
      "bcm2711-rpi-cm4-io.dtb",
      "config.txt",
      "fixup4.dat",
      "overlays/rpi-poe-plus-hat.dtbo",
      "start4.elf",
      "u-boot.bin",
    ]);
    expect(new TextDecoder().decode(files.get("u-boot.bin"))).toBe("usr/lib/u-boot/rpi_arm64/u-boot.bin");
  });

  test("image: a package without one of the files, is named in a sentence and stops the build", () => {
    const path = join(folder, "usr/lib/u-boot/rpi_arm64/u-boot.bin");
    rmSync(path);
    expect(() => firmwareFiles(folder, join(folder, "trees"))).toThrow(
      new ImageFailure(`expected ${path} among Debian's files for Raspberry Pi`),
    );
    put("usr/lib/u-boot/rpi_arm64/u-boot.bin");
    expect(() => firmwareFiles(folder, join(folder, "nowhere"))).toThrow("bcm2711-rpi-4-b.dtb");
    expect(() => firmwareFiles(join(folder, "nowhere"), join(folder, "trees"))).toThrow("overlays");
  });

  test("image: the settings, start U-Boot in 64 bit without a serial console that noise could stop", () => {
    const lines = firmwareConfig().trim().split("\n");
    for (const line of ["arm_64bit=1", "kernel=u-boot.bin", "enable_uart=0"]) expect(lines).toContain(line);
    for (const line of lines) expect(line).toMatch(/^(#.*|[a-z0-9_]+=\S+)$/);
    for (const line of lines) expect(line.length).toBeLessThan(80); // what the firmware reads of a line
  });

  test("image: firmware that cannot read the layout, is refused", () => {
    for (const good of ["1.20260408+ds-1", "1.20250116-1"]) expect(() => checkFirmware(good)).not.toThrow();
    for (const wrong of ["1.20240424+ds-6", "1.20250115-1", "2.0", ""]) expect(() => checkFirmware(wrong)).toThrow(ImageFailure);
  });

  test("image: another processor or kernel than the board's, is refused before anything is fetched", async () => {
    const [program, architecture] = [process.execPath, process.arch === "arm64" ? "arm64" : "amd64"] as const;
    const out = join(folder, "out");
    const keys = { authority: "a", certificate: "c", key: "k", variant: "release" } as const;
    const none = new Uint8Array();
    const db = { certificate: "c", key: "k" } as const;
    const bootKeys = { db, boot: createSecretKey(Buffer.from("none")), certificates: { db: none, KEK: none, PK: none } };
    const order = {
      identity: { version: "1.0.0", architecture, kernel: "cloud", board: "raspberry-pi", variant: "release" },
      program: { path: program, version: "1.0.0" },
      ...{ keys, bootKeys, mirror: { main: "m", security: "s" }, out, cache: out },
    } as const;
    expect(await buildImage(order, () => undefined).catch((error: unknown) => error)).toEqual(
      new ImageFailure("expected arm64 and the generic kernel for the board raspberry-pi"),
    );
    expect(existsSync(out)).toBe(false);
  });

  test("image: its packages, are those of its processor with firmware and U-Boot", () => {
    const [plan, other] = [packagesOf("arm64", "generic", "raspberry-pi"), packagesOf("arm64", "generic")];
    expect(plan).toEqual({ ...other, parts: { ...other.parts, board: ["raspi-firmware", "u-boot-rpi"] } });
    expect(other.parts.board).toEqual([]);
  });
});
