import type { CancelTimer, Clock, Timers } from "../../../src/kernel/index.ts";
import type { Authority } from "./authority.ts";

const DAY_MS = 86_400_000;
/** How long a server's certificate lasts, and how often it is looked at. */
const SERVER = { lifeMs: 90 * DAY_MS, lookEveryMs: DAY_MS } as const;

/** A server certificate with its key, PEM, and whom clients' certificates must come from. */
export type ServerTls = { readonly cert: string; readonly key: string; readonly clientCa: string };

/** Makes the first certificate of a server that is known by these hosts. */
export async function makeServerTls(authority: Authority, hosts: readonly string[], clock: Clock): Promise<ServerTls> {
  const { cert, key } = await authority.issueServer(hosts, clock.nowMs(), SERVER.lifeMs);
  return { cert, key, clientCa: authority.certificate };
}

/**
 * Gives a running server a new certificate long before the present one ends.
 *
 * @param onRenewed puts it into force for the connections to come
 * @param onFailure told of errors that nothing expected
 * @returns ends it
 */
export function keepServerTls(
  {
    authority,
    hosts,
    clock,
    timers,
  }: { readonly authority: Authority; readonly hosts: readonly string[]; readonly clock: Clock; readonly timers: Timers },
  onRenewed: (tls: ServerTls) => void,
  onFailure: (error: unknown) => void,
): () => void {
  let renewAtMs = clock.nowMs() + (SERVER.lifeMs * 2) / 3;
  let cancel: CancelTimer | undefined;
  const look = (): void => {
    cancel = timers.after(SERVER.lookEveryMs, look);
    if (clock.nowMs() < renewAtMs) return;
    renewAtMs = clock.nowMs() + (SERVER.lifeMs * 2) / 3;
    makeServerTls(authority, hosts, clock).then(onRenewed, onFailure);
  };
  cancel = timers.after(SERVER.lookEveryMs, look);
  return () => cancel?.();
}
