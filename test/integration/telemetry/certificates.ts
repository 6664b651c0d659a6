/** An authority with a server's and a client's certificate, made by openssl. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TlsFiles } from "./mosquitto.ts";

/** Certificates in a folder of their own. */
export class Certificates {
  readonly folder = mkdtempSync(join(tmpdir(), "bizra-certificates-"));

  /** Makes the authority; undefined where there is no openssl. */
  static make(): Certificates | undefined {
    if (Bun.which("openssl") === null) return undefined;
    const made = new Certificates();
    made.#openssl(
      "req",
      "-x509",
      ...KEY,
      "-keyout",
      made.#at("ca.key"),
      "-out",
      made.#at("ca.pem"),
      "-days",
      "2",
      "-subj",
      "/CN=test authority",
    );
    return made;
  }

  /** A certificate of this authority for a name, as a server on 127.0.0.1 and as a client. */
  issue(name: string): TlsFiles {
    const [key, request, certificate] = [this.#at(`${name}.key`), this.#at(`${name}.csr`), this.#at(`${name}.pem`)];
    writeFileSync(this.#at(`${name}.ext`), "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n");
    this.#openssl("req", ...KEY, "-keyout", key, "-out", request, "-subj", `/CN=${name}`);
    const authority = ["-CA", this.#at("ca.pem"), "-CAkey", this.#at("ca.key"), "-CAcreateserial"];
    this.#openssl("x509", "-req", "-in", request, ...authority, "-out", certificate, "-days", "2", "-extfile", this.#at(`${name}.ext`));
    return { ca: this.#at("ca.pem"), certificate, key };
  }

  /** Removes the folder. */
  end(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #at(name: string): string {
    return join(this.folder, name);
  }

  #openssl(...words: readonly string[]): void {
    const { exitCode, stderr } = Bun.spawnSync(["openssl", ...words], { stdout: "ignore", stderr: "pipe" });
    if (exitCode !== 0) throw new Error(`openssl ${words.join(" ")}: ${stderr.toString()}`);
  }
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"] as const;
