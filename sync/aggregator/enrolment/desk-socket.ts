import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { err, ok, type Result } from "../../../src/kernel/index.ts";
import type { EnrolmentDesk } from "./desk.ts";
import { deskRoutes } from "./desk-routes.ts";

/** Bytes that the system takes as the path of a socket. */
const PATH_BYTES_MAX = 107;

/**
 * The desk for commands on the same machine, over a socket that its owner alone may open: who may is the file system's
 * word.
 */
export class DeskSocket {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /**
   * Listens; a socket that an ended process left there is replaced.
   *
   * @param path below the home that the caller holds the lock of
   */
  static async open(path: string, desk: EnrolmentDesk): Promise<Result<DeskSocket, string>> {
    if (Buffer.byteLength(path) > PATH_BYTES_MAX) return err(`the path ${path} is longer than the ${PATH_BYTES_MAX} bytes of a socket`);
    const routes = deskRoutes(desk, () => "local command");
    const server = createServer(getRequestListener(routes.fetch, { overrideGlobalObjects: false }));
    rmSync(path, { force: true });
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    server.once("error", resolve);
    server.listen(path, () => resolve(undefined));
    const error = await promise;
    if (error) return err(error.message);
    chmodSync(path, 0o600);
    return ok(new DeskSocket(server));
  }

  /** Closes it. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
