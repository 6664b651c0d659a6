import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildImage } from "../../../image/build.ts";
import { DEBUG_PORT, debugShellFiles } from "../../../image/rootfs/debug-shell.ts";
import { compatibleOf, type ImageIdentity } from "../../../image/rootfs/identity.ts";
import type { BootKeys } from "../../../image/signing/boot-keys.ts";
import type { SigningKeys } from "../../../image/signing/keys.ts";

const development: ImageIdentity = {
  version: "1.2.3",
  architecture: "amd64",
  kernel: "cloud",
  variant: "development",
  hasDebugShell: true,
};

describe("debug shell", () => {
  test("image: a way in for trials, is in the word by which bundles are known, so that no other box takes one", () => {
    expect(compatibleOf(development)).toBe("bizra-amd64-cloud-development-debug");
    expect(compatibleOf({ ...development, hasDebugShell: undefined })).toBe("bizra-amd64-cloud-development");
  });

  test("image: a way in for trials, is refused for a release before anything is fetched", async () => {
    const folder = mkdtempSync(join(tmpdir(), "bizra-debug-"));
    const order = {
      identity: { ...development, variant: "release" as const },
      program: { path: process.execPath, version: "1.2.3" },
      keys: { variant: "release" } as SigningKeys,
      bootKeys: {} as BootKeys,
      mirror: { main: "http://127.0.0.1:1", security: "http://127.0.0.1:1" },
      out: join(folder, "out"),
      cache: join(folder, "cache"),
    };
    try {
      await expect(buildImage(order, () => {})).rejects.toThrow("expected no --debug-shell");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("image: the shell, answers each line with code and output, several at a time", async () => {
    const script = debugShellFiles().find(({ path }) => path.endsWith("lib/bizra/debug-shell"));
    if (script?.kind !== "text") throw new Error("there is no shell");
    const folder = mkdtempSync(join(tmpdir(), "bizra-debug-"));
    try {
      // A pair of pipes behind one name does not exist, so the shell's port is given as two file descriptors.
      const path = join(folder, "shell");
      mkdirSync(join(folder, "run"));
      const text = script.text
        .replace(/^echo .*kmsg$/m, "")
        .replace(/^until .*$/m, "")
        .replace('exec 3<>"$port"', "exec 4>&1")
        .replaceAll("<&3", "<&0")
        .replaceAll(">&3", ">&4")
        .replaceAll("/run/", `${folder}/run/`);
      expect(text).toContain("<&0");
      writeFileSync(path, text);
      chmodSync(path, 0o755);
      const child = Bun.spawn({ cmd: [path], stdin: "pipe", stdout: "pipe", stderr: "pipe" });
      const ask = (id: string, command: string): void => {
        child.stdin.write(`${id} 20 ${Buffer.from(command).toString("base64")}\n`);
      };
      ask("1", `until [ -e ${folder}/second ]; do sleep 0.05; done; echo first; exit 3`);
      ask("2", `touch ${folder}/second; printf 'a b\\nc'`);
      await child.stdin.flush();
      let said = "";
      for await (const chunk of child.stdout) {
        said += new TextDecoder().decode(chunk);
        if (/^1 /m.test(said) && /^2 /m.test(said)) break;
      }
      child.kill("SIGKILL");
      const lines = said.trim().split("\n");
      expect(lines[0]).toMatch(/^hello [0-9a-f-]{36}$/);
      expect(lines.slice(1).sort()).toEqual([
        `1 3 ${Buffer.from("first\n").toString("base64")}`,
        `2 0 ${Buffer.from("a b\nc").toString("base64")}`,
      ]);
      expect(script.text).toContain(`/dev/virtio-ports/${DEBUG_PORT}`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
