import { assert, err, ok, type Result } from "../../src/kernel/index.ts";
import { type ConsoleParts, consoleApplication } from "./application.ts";

/** Bytes of a request's body: a plan and what is around it. */
const BODY_BYTES_MAX = 131_072;
/** Seconds after which a connection on which nothing moves is closed. */
const IDLE_TIMEOUT_SECONDS = 30;

/** What a console is started with. */
export type BoxConsoleOptions = ConsoleParts & {
  readonly listen: { readonly host: string; readonly port: number };
  readonly onDefect: (error: unknown) => void;
};

/** The local web page of a box, from `start` until `stop`. */
export class BoxConsole {
  readonly #server: Bun.Server<undefined>;

  private constructor(server: Bun.Server<undefined>) {
    this.#server = server;
  }

  /** Opens it. Errors: a sentence, when the address cannot be listened on. */
  static start({ listen, onDefect, ...parts }: BoxConsoleOptions): Result<BoxConsole, string> {
    const application = consoleApplication(parts);
    application.onError((error) => {
      parts.log.error("console.failed", { error: error.stack ?? error.message });
      onDefect(error);
      return new Response("the console failed to answer; its log says why", { status: 500 });
    });
    try {
      const server = Bun.serve({
        hostname: listen.host,
        port: listen.port,
        maxRequestBodySize: BODY_BYTES_MAX,
        idleTimeout: IDLE_TIMEOUT_SECONDS,
        fetch: (request, at) => application.fetch(request, { address: at.requestIP(request)?.address ?? "unknown" }),
      });
      return ok(new BoxConsole(server));
    } catch (error) {
      if (!(error instanceof Error && "code" in error)) throw error;
      return err(`expected to listen on ${listen.host}:${listen.port}: ${String(error.code)}`);
    }
  }

  /** Port it listens on. */
  get port(): number {
    const { port } = this.#server;
    assert(port !== undefined, "an open console has a port");
    return port;
  }

  /** Closes it at once: nothing here is worth waiting for. */
  async stop(): Promise<void> {
    await this.#server.stop(true);
  }
}
