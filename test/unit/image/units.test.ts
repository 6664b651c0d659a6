/** The units of ours, judged by systemd's own tools: what each may do, and whether each can be read. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { nodeFiles } from "../../../image/rootfs/node-files.ts";
import { systemFiles } from "../../../image/rootfs/system-files.ts";

/** `systemd-analyze security --offline` judges unit files since this version. */
const VERSION_MIN = 250;
/** The most that a unit of ours may be exposed, of 10. */
const EXPOSURE_MAX = 1.5;

const version = Bun.which("systemd-analyze") === null ? 0 : Number(/systemd (\d+)/.exec(await output("systemd-analyze", "--version"))?.[1]);
if (!(version >= VERSION_MIN)) console.warn(`SKIPPED units.test.ts: systemd-analyze ${VERSION_MIN} or later is not here`);

const identity = { version: "1.0.0", architecture: "amd64", kernel: "cloud", variant: "release" } as const;
const units = [...nodeFiles(), ...systemFiles(identity)].flatMap((file) =>
  file.kind === "text" && /^etc\/systemd\/system\/[a-z-]+\.(service|path|timer)$/.test(file.path) ? [file] : [],
);

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bizra-units-"));
  for (const { path, text } of units) writeFileSync(join(folder, basename(path)), text);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function output(...words: readonly string[]): Promise<string> {
  const child = Bun.spawn({ cmd: [...words], stdout: "pipe", stderr: "pipe", stdin: "ignore" });
  const [out, said] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  return out + said;
}

describe.skipIf(!(version >= VERSION_MIN))("units", () => {
  test("image: every service of ours, is exposed to at most 1.5 of 10 by systemd's own figure", async () => {
    const services = units.map(({ path }) => basename(path)).filter((name) => name.endsWith(".service"));
    expect(services.length).toBeGreaterThanOrEqual(7);
    for (const name of services) {
      const said = await output("systemd-analyze", "security", "--offline=true", "--no-pager", join(folder, name));
      const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(said)?.[1]);
      expect([name, exposure <= EXPOSURE_MAX ? "within" : `${exposure}: ${said}`]).toEqual([name, "within"]);
    }
  });

  test("image: every unit of ours, is one that systemd can read, without a word that it does not know", async () => {
    const said = await output("systemd-analyze", "verify", "--man=no", ...units.map(({ path }) => join(folder, basename(path))));
    const ours = said.split("\n").filter((line) => line.includes(folder) && !/is not executable|not found|Failed to load/.test(line));
    expect(ours).toEqual([]);
  });
});

describe("rights", () => {
  test("image: what listens to a network, runs as the node's user without a capability or a way to get one", () => {
    for (const name of ["bizra-node.service", "bizra-page.service"]) {
      const lines = units.find(({ path }) => basename(path) === name)?.text.split("\n") ?? [];
      for (const line of ["User=bizra", "CapabilityBoundingSet=", "AmbientCapabilities=", "NoNewPrivileges=yes", "PrivateUsers=yes"])
        expect(lines).toContain(line);
    }
  });

  test("image: what runs as root, has no network, and writes at most to one place", () => {
    for (const { path, text } of units.filter((unit) => unit.path.endsWith(".service") && !unit.text.includes("User="))) {
      expect([path, text.includes("PrivateNetwork=yes"), text.includes("ProtectSystem=strict")]).toEqual([path, true, true]);
      const writable = [...text.matchAll(/^ReadWritePaths=(.*)$/gm)].flatMap(([, paths = ""]) => paths.split(" "));
      expect([path, writable.length <= 1]).toEqual([path, true]);
    }
  });

  test("image: the page, is served by one process and has a port of its own", () => {
    const page = units.find(({ path }) => basename(path) === "bizra-page.service")?.text ?? "";
    expect(page).toMatch(/^ExecStart=\/usr\/bin\/bizra box console .*--listen 0\.0\.0\.0:8080$/m);
    expect(units.filter(({ text }) => / (provision run|box console) /.test(text))).toHaveLength(1);
  });
});
