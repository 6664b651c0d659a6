/** A real S3 server (s3rver) beside this process, with one bucket. */
import { join } from "node:path";
import { freePort, takesConnections } from "./postgresql.ts";

/** What it takes as key and secret. */
export const S3_CREDENTIALS = "S3RVER:S3RVER";

/** A server that runs. */
export class S3Server {
  readonly #process: Bun.Subprocess;
  readonly #port: number;

  private constructor(child: Bun.Subprocess, port: number) {
    this.#process = child;
    this.#port = port;
  }

  /** @param folder where it keeps the bucket `trial` */
  static async start(folder: string): Promise<S3Server> {
    const port = freePort();
    const program = join(import.meta.dir, "../../../node_modules/s3rver/bin/s3rver.js");
    const words = ["-d", folder, "-a", "127.0.0.1", "-p", String(port), "--silent", "--configure-bucket", "trial"];
    // It lists names in the order in which folders are read; Node sorts that.
    const child = Bun.spawn([Bun.which("node") ?? process.execPath, program, ...words], { stdout: "ignore", stderr: "ignore" });
    if (!(await takesConnections(port))) throw new Error("s3rver takes no connections");
    return new S3Server(child, port);
  }

  /** Address of the bucket, below a prefix, without credentials. */
  url(prefix: string): string {
    return `s3://trial/${prefix}?endpoint=http://127.0.0.1:${this.#port}`;
  }

  async stop(): Promise<void> {
    this.#process.kill();
    await this.#process.exited;
  }
}
