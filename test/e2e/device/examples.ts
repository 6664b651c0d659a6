/** The examples of docs/devices.md, made ready to run. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { cleanEnvironment } from "../support/bizra.ts";
import { installPackages } from "../support/debian.ts";

const FOLDER = join(import.meta.dir, "../../../docs/examples/devices");

/** A finished command. */
export type Ran = { readonly code: number; readonly out: readonly string[]; readonly err: string };

/** Runs a command to its end. */
export async function run(...words: readonly string[]): Promise<Ran> {
  const child = Bun.spawn([...words], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: cleanEnvironment(), timeout: 120_000 });
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  return { code, out: out.trim().split("\n"), err };
}

/** A way to run an example, or why there is none. */
export type Example = { readonly words: readonly string[]; readonly hasMqtt: boolean } | { readonly reason: string };

/** Compiles the C example; a compiler and OpenSSL's headers are installed where they are absent. */
async function compileC(folder: string): Promise<Example> {
  if (Bun.which("gcc") === null || !existsSync("/usr/include/openssl/evp.h")) {
    const fault = await installPackages(["gcc", "libc6-dev", "libssl-dev"]);
    if (fault !== undefined) return { reason: `no C compiler with OpenSSL here, and ${fault}` };
  }
  const program = join(folder, "anchor");
  const warnings = ["-Wall", "-Wextra", "-Werror"];
  const built = await run("gcc", "-std=c11", "-O2", ...warnings, "-o", program, join(FOLDER, "anchor.c"), "-lcrypto");
  if (built.code !== 0) throw new Error(`anchor.c does not compile:\n${built.err}`);
  return { words: [program], hasMqtt: true };
}

/**
 * A Python with the packages of the example: the one on the path, as it is, Debian's own, or one with what the package
 * index has, else Debian's with what apt-get has. Without cbor2 the example writes CBOR itself.
 */
async function findPython(folder: string): Promise<Example> {
  const canRun = async (python: string, ...modules: readonly string[]): Promise<boolean> =>
    Bun.which(python) !== null && (await run(python, "-c", modules.map((name) => `import ${name}`).join("\n"))).code === 0;
  const script = join(FOLDER, "anchor.py");
  const all = ["cryptography", "cbor2", "paho.mqtt.client"] as const;
  for (const python of ["python3", "/usr/bin/python3"]) {
    if (await canRun(python, ...all)) return { words: [python, script], hasMqtt: true };
  }
  const venv = join(folder, "venv");
  if (Bun.which("python3") !== null && (await run("python3", "-m", "venv", venv)).code === 0) {
    const pip = ["-q", "--disable-pip-version-check", "--retries", "1", "--timeout", "10", "install"];
    await run(join(venv, "bin", "pip"), ...pip, "cryptography", "cbor2", "paho-mqtt");
    if (await canRun(join(venv, "bin", "python"), ...all)) return { words: [join(venv, "bin", "python"), script], hasMqtt: true };
  }
  const fault = await installPackages(["python3-cryptography", "python3-cbor2", "python3-paho-mqtt"]);
  if (await canRun("/usr/bin/python3", ...all)) return { words: ["/usr/bin/python3", script], hasMqtt: true };
  if (await canRun("python3", "cryptography")) return { words: ["python3", script], hasMqtt: false };
  return { reason: `no Python with cryptography here, and ${fault ?? "Debian's does not run"}` };
}

/** Both examples, ready to run. @param folder where the program and the packages go */
export async function findExamples(folder: string): Promise<Readonly<Record<"C" | "Python", Example>>> {
  return { C: await compileC(folder), Python: await findPython(folder) };
}
