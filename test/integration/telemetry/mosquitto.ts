/** A real broker of another make for tests: Debian's mosquitto on a free port, ended at once and started again at will. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installPackages } from "../../e2e/support/debian.ts";

const START_LIMIT_MS = 60_000;

/** Where the program is, or why there is none. */
export async function findMosquitto(): Promise<{ readonly path: string } | { readonly reason: string }> {
  const where = (): string | null => Bun.which("mosquitto", { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin` });
  const found = where();
  if (found !== null) return { path: found };
  const fault = await installPackages(["mosquitto"]);
  const installed = where();
  return installed === null ? { reason: `no mosquitto here; ${fault ?? "apt-get says that it installed it"}` } : { path: installed };
}

/** Files of a broker that asks for client certificates, all in PEM. */
export type TlsFiles = { readonly ca: string; readonly certificate: string; readonly key: string };

/** A running broker with a folder of its own. */
export class Mosquitto {
  readonly port: number;
  readonly folder: string;
  readonly #path: string;
  #child: Bun.Subprocess | undefined;

  private constructor(path: string, port: number, folder: string) {
    this.#path = path;
    this.port = port;
    this.folder = folder;
  }

  /** Starts one on loopback; with TLS it lets in nobody without a certificate of the authority. */
  static async start(path: string, tls?: TlsFiles): Promise<Mosquitto> {
    const broker = new Mosquitto(path, await freePort(), mkdtempSync(join(tmpdir(), "bizra-mosquitto-")));
    const secure =
      tls === undefined ? [] : [`cafile ${tls.ca}`, `certfile ${tls.certificate}`, `keyfile ${tls.key}`, "require_certificate true"];
    const lines = [
      `listener ${broker.port} 127.0.0.1`,
      ...secure,
      "allow_anonymous true",
      "persistence false",
      "set_tcp_nodelay true",
      `user ${process.env["USER"] ?? "root"}`,
    ];
    writeFileSync(join(broker.folder, "mosquitto.conf"), `${lines.join("\n")}\n`);
    await broker.restart();
    return broker;
  }

  /** Starts it again on the same port, with nothing of before. */
  async restart(): Promise<void> {
    this.#child = Bun.spawn([this.#path, "-c", join(this.folder, "mosquitto.conf")], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    const endMs = performance.now() + START_LIMIT_MS;
    while (!(await answers(this.port))) {
      if (performance.now() > endMs || this.#child.exitCode !== null) throw new Error(`mosquitto does not listen on ${this.port}`);
      await Bun.sleep(20);
    }
  }

  /** Ends it without a word to anyone. */
  async crash(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
  }

  /** Ends it and removes its folder. */
  async end(): Promise<void> {
    await this.crash();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return address.port;
}

async function answers(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.end();
    return true;
  } catch (error) {
    if (!(error instanceof Error)) throw error; // refused: not yet
    return false;
  }
}
