import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeCpio } from "../../../image/boot/cpio.ts";
import { consolesOf, encodeCounters, FIRST_COUNTERS, grubConfig, slotConfig } from "../../../image/boot/grub-config.ts";
import { INITRD_SCRIPT, kernelCommandLine } from "../../../image/boot/initrd-script.ts";
import { ELF_MACHINE, readElfNeeds } from "../../../image/elf.ts";
import { nodeFiles } from "../../../image/rootfs/node-files.ts";
import { systemFiles } from "../../../image/rootfs/system-files.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bizra-image-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A script of an image, as a file here. */
function script(path: string): string {
  const identity = { version: "1.0.0", architecture: "amd64", kernel: "cloud", variant: "release" } as const;
  const file = [...systemFiles(identity), ...nodeFiles()].find((each) => each.path === path);
  if (file?.kind !== "text") throw new Error(`there is no script ${path}`);
  const here = join(folder, path.replaceAll("/", "-"));
  writeFileSync(here, file.text, { mode: 0o755 });
  return here;
}

async function run(...words: readonly string[]): Promise<{ readonly code: number; readonly out: string }> {
  const child = Bun.spawn({ cmd: [...words], stdout: "pipe", stderr: "ignore" });
  const out = await new Response(child.stdout).text();
  return { code: await child.exited, out };
}

describe("boot counters", () => {
  test("image: the block, is 1024 bytes that begin as GRUB expects", () => {
    const block = encodeCounters(FIRST_COUNTERS);
    expect(block.length).toBe(1024);
    expect(new TextDecoder().decode(block)).toMatch(/^# GRUB Environment Block\nORDER=A B\nA_OK=1\n[^#]*#+$/);
  });
});

describe("boot scripts", () => {
  test("image: every shell script, is one that its shell can read", async () => {
    const initrd = join(folder, "init");
    writeFileSync(initrd, INITRD_SCRIPT);
    expect((await run("sh", "-n", initrd)).code).toBe(0);
    for (const path of ["usr/lib/bizra/boot-counters", "usr/lib/bizra/apply-system"])
      expect([path, (await run("bash", "-n", script(path))).code]).toEqual([path, 0]);
  });

  test("image: the first program, never makes a file system", () => {
    expect(INITRD_SCRIPT).not.toMatch(/mkfs|mke2fs/);
    expect(INITRD_SCRIPT).toContain("restart_on_corruption");
  });

  test("image: the boot loader's configuration, names the partitions of the layout and ends in a restart", () => {
    for (const architecture of ["amd64", "arm64"] as const) {
      const text = grubConfig(architecture);
      expect(text).toContain("set boot=($disk,gpt3); else set boot=($disk,gpt5)");
      expect(text).toContain("($disk,gpt2)/grubenv");
      expect(text.trimEnd().split("\n").at(-1)).toBe("reboot");
      const [opened, closed] = [/(^|; | )if /gm, /(^ *|; )fi$/gm].map((word) => text.match(word)?.length);
      expect(opened).toBe(closed);
    }
  });

  test("image: loader and direct start, give the kernel the same words", () => {
    const words = kernelCommandLine("A", "3:aa:bb", consolesOf("amd64"));
    expect(words).toContain("rauc.slot=A bizra.verity=3:aa:bb");
    expect(grubConfig("amd64")).toContain(kernelCommandLine("$slot", "$verity", consolesOf("amd64")));
    expect(slotConfig("3:aa:bb")).toBe("set verity=3:aa:bb\n");
  });
});

describe("archive of the first root", () => {
  test("image: entries, stand in the form that the kernel reads, aligned to four bytes", () => {
    const archive = encodeCpio([
      { kind: "folder", path: "bin" },
      { kind: "file", path: "bin/a", mode: 0o755, content: new Uint8Array([1, 2, 3]) },
      { kind: "link", path: "bin/b", target: "a" },
    ]);
    expect(archive.length % 4).toBe(0);
    const text = new TextDecoder("latin1").decode(archive);
    expect(text.split("070701").length - 1).toBe(4);
    expect(text).toStartWith("07070100000001000041ed0000000000000000000000010000000000000000");
    expect(text).toContain("TRAILER!!!");
    expect(archive).toEqual(
      encodeCpio([
        { kind: "folder", path: "bin" },
        { kind: "file", path: "bin/a", mode: 0o755, content: new Uint8Array([1, 2, 3]) },
        { kind: "link", path: "bin/b", target: "a" },
      ]),
    );
  });
});

describe("programs", () => {
  test("image: this runtime's own program, is read for its processor, loader and libraries", () => {
    const needs = readElfNeeds(new Uint8Array(readFileSync(process.execPath)));
    expect(needs?.machine).toBe(process.arch === "arm64" ? ELF_MACHINE.arm64 : ELF_MACHINE.amd64);
    expect(needs?.libraries).toContain("libc.so.6");
    expect(needs?.loader).toMatch(/ld-linux/);
  });

  test("image: what is no program or cut short, is none", () => {
    expect(readElfNeeds(new Uint8Array())).toBeUndefined();
    expect(readElfNeeds(new TextEncoder().encode("#!/bin/sh\n".repeat(10)))).toBeUndefined();
    expect(readElfNeeds(new Uint8Array(readFileSync(process.execPath)).subarray(0, 4_096))).toBeUndefined();
  });
});
