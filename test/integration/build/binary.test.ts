import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildBinary } from "../../../.ci/build.ts";
import { ensureRuntime } from "../../../.ci/toolchain.mjs";

const PROGRAM = `
class Probe extends Error {}
if (process.argv[2] === "fail") throw new Probe("asked to");
const worker = new Worker(new URL("./deep/sum.worker.ts", import.meta.url));
const sum = await new Promise((resolve) => {
  worker.onmessage = (event) => resolve(event.data);
  worker.postMessage([1, 2, 3]);
});
worker.terminate();
console.log(JSON.stringify({
  version: BIZRA_VERSION,
  commit: BIZRA_COMMIT,
  sum,
  className: Probe.name,
  args: process.argv.slice(2),
  dotenv: process.env["FROM_DOTENV"] ?? null,
  preload: globalThis.FROM_PRELOAD ?? null,
}));
`;
const WORKER = "self.onmessage = (event) => self.postMessage(event.data.reduce((a, b) => a + b, 0));";
const STAMP = { version: "9.8.7", commit: "abc123", inputs: "00" };

let folder = "";
/** A working directory with everything that a Bun binary picks up unless told not to. */
let hostileDir = "";
let binary = "";
let entryPoints: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bizra-build-"));
  hostileDir = join(folder, "hostile");
  const source = join(folder, "source");
  mkdirSync(join(source, "deep"), { recursive: true });
  mkdirSync(hostileDir);
  entryPoints = [join(source, "main.ts"), join(source, "deep", "sum.worker.ts")];
  writeFileSync(join(source, "main.ts"), PROGRAM);
  writeFileSync(join(source, "deep", "sum.worker.ts"), WORKER);
  writeFileSync(join(hostileDir, ".env"), "FROM_DOTENV=read\n");
  writeFileSync(join(hostileDir, "bunfig.toml"), 'preload = ["./preload.ts"]\n');
  writeFileSync(join(hostileDir, "preload.ts"), 'globalThis.FROM_PRELOAD = "ran";\n');
  binary = join(folder, "binary");
  await buildBinary({ entryPoints, root: source, outfile: binary, stamp: STAMP });
}, 240_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(executable: string, args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const child = Bun.spawn([executable, ...args], { cwd: hostileDir, env: { PATH: "/usr/bin:/bin" }, stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  return { code, out, err };
}

test("binary: started among a .env and a bunfig with a preload, neither is read", async () => {
  const { code, out } = await run(binary, ["a", "--b"]);
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual({
    version: "9.8.7",
    commit: "abc123",
    sum: 6,
    className: "Probe",
    args: ["a", "--b"],
    dotenv: null,
    preload: null,
  });
});

test("binary: the same program compiled without our switches, both are read, so the test above can fail", async () => {
  const outfile = join(folder, "unguarded");
  await Bun.build({ entrypoints: entryPoints, target: "bun", compile: { outfile }, define: { BIZRA_VERSION: '""', BIZRA_COMMIT: '""' } });
  expect(JSON.parse((await run(outfile, [])).out)).toMatchObject({ dotenv: "read", preload: "ran" });
});

test("binary: an error inside it, the stack trace names our file and line", async () => {
  const { code, err } = await run(binary, ["fail"]);
  expect(code).toBe(1);
  expect(err).toMatch(/source\/main\.ts:3:/);
});

test("binary: built lean, it does the same in less room, an error names what it was and no line of ours", async () => {
  const outfile = join(folder, "lean");
  const source = join(folder, "source");
  await buildBinary({ entryPoints, root: source, outfile, stamp: STAMP, isLean: true });
  expect((await run(outfile, ["a", "--b"])).out).toBe((await run(binary, ["a", "--b"])).out);
  const { code, err } = await run(outfile, ["fail"]);
  expect(code).toBe(1);
  expect(err).toContain("Probe");
  expect(err).not.toMatch(/source\/main\.ts:3:/);
  expect(Bun.file(outfile).size).toBeLessThan(Bun.file(binary).size);
});

test("binary: equal inputs, equal bytes, and nothing left beside the binary but its stamp", async () => {
  const again = join(folder, "again", "binary");
  mkdirSync(join(folder, "again"));
  await buildBinary({ entryPoints, root: join(folder, "source"), outfile: again, stamp: STAMP });
  const [first, second] = await Promise.all([binary, again].map(async (path) => Bun.SHA256.hash(await Bun.file(path).bytes(), "hex")));
  expect(second).toBe(first as string);
  expect(readdirSync(join(folder, "again")).sort()).toEqual(["binary", "binary.stamp.json"]);
});

test("binary: code that does not compile, an error that says where and no binary", async () => {
  const broken = join(folder, "broken.ts");
  writeFileSync(broken, 'import "./absent.ts";\n');
  const outfile = join(folder, "never");
  writeFileSync(outfile, "an older build");
  await expect(buildBinary({ entryPoints: [broken], root: folder, outfile, stamp: STAMP })).rejects.toThrow("absent.ts");
  expect(await Bun.file(outfile).exists()).toBe(false);
});

test("binary: built for linux-arm64, an executable of that machine", async () => {
  const outfile = join(folder, "arm");
  const runtime = await ensureRuntime("linux-arm64");
  await buildBinary({ entryPoints, root: join(folder, "source"), outfile, stamp: STAMP, runtime });
  const header = await Bun.file(outfile).slice(0, 20).bytes();
  expect([...header.subarray(0, 4)]).toEqual([0x7f, 0x45, 0x4c, 0x46]);
  // e_machine of the ELF header, little-endian: 0xb7 is AArch64.
  expect(header[18]).toBe(0xb7);
}, 300_000);
