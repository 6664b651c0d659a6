import { ok, type Result } from "../../../src/kernel/index.ts";
import { OutgoingBudget } from "./outgoing-budget.ts";
import { openTcpDoor, openTlsDoor } from "./socket-door.ts";
import type { Door, DoorAddress, DoorFault, DoorPorts, TlsIdentity } from "./types.ts";
import { openWebSocketDoor } from "./web-socket-door.ts";

/** Which doors a broker has. */
export type DoorPlan = {
  readonly tcp?: DoorAddress;
  readonly tls?: { readonly address: DoorAddress; readonly identity: TlsIdentity };
  readonly webSocket?: { readonly address: DoorAddress; readonly identity?: TlsIdentity; readonly origins: readonly string[] };
  /** Bytes held for clients that do not take them, of all doors; default 32 MiB. */
  readonly outgoingBytesMax?: number;
};

/** A box of 512 MiB has them beside all else that the broker may hold. */
const OUTGOING_BYTES_MAX = 32 * 1024 * 1024;

/** The doors that are open. */
export interface OpenDoors {
  /** Addresses by kind. */
  readonly urls: { readonly tcp?: string; readonly tls?: string; readonly webSocket?: string };
  /** Lets nobody in any more. */
  close(): void;
  /** Ends what is still connected, at once. */
  closeAll(): void;
}

/** Opens every door of the plan, or none when one cannot be opened. */
export function openDoors(plan: DoorPlan, own: DoorPorts): Result<OpenDoors, DoorFault> {
  const outgoing = new OutgoingBudget(plan.outgoingBytesMax ?? OUTGOING_BYTES_MAX);
  const ports = { ...own, outgoing };
  own.counts.watchHeld(() => outgoing.usedBytes);
  const wanted: readonly (() => Result<Door | undefined, DoorFault>)[] = [
    () => (plan.tcp ? openTcpDoor(plan.tcp, ports) : ok(undefined)),
    () => (plan.tls ? openTlsDoor(plan.tls.address, plan.tls.identity, ports) : ok(undefined)),
    () => (plan.webSocket ? openWebSocketDoor(plan.webSocket, ports) : ok(undefined)),
  ];
  const doors: (Door | undefined)[] = [];
  const closeAll = (): void => {
    for (const door of doors) door?.closeAll();
  };
  const close = (): void => {
    for (const door of doors) door?.close();
  };
  for (const open of wanted) {
    const door = open();
    if (!door.ok) {
      close();
      closeAll();
      return door;
    }
    doors.push(door.value);
  }
  const [tcp, tls, webSocket] = doors;
  const urls = {
    ...(tcp ? { tcp: tcp.url } : {}),
    ...(tls ? { tls: tls.url } : {}),
    ...(webSocket ? { webSocket: webSocket.url } : {}),
  };
  return ok({ urls, close, closeAll });
}
