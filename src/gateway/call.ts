import type { Server } from "bun";
import type { Deadline } from "./deadline.ts";
import type { WebSocketStream } from "./streams/web-socket-stream.ts";

/** One request on its way through the gateway. */
export type Call = {
  readonly server: Server<WebSocketStream>;
  readonly request: Request;
  /** Path of the request, for a problem's `instance`. */
  readonly path: string;
  /** Who asks, for quotas: see `sourceOf`. */
  readonly source: string;
  readonly deadline: Deadline;
  /** Template of the route, for logs and metrics; `unmatched` until one takes the call. */
  route: string;
  /** Whether the body is still arriving, which tells a slow client from a slow node when the time is up. */
  isReadingBody: boolean;
  /** Whether the connection became a WebSocket, so that there is no response to send. */
  isUpgraded: boolean;
};
