import { err, ok, type Result } from "../../../src/kernel/index.ts";
import type { EventBus } from "../types.ts";
import { KafkaBus } from "./kafka-bus.ts";
import { NatsBus } from "./nats-bus.ts";

/** Opens the bus that a URL names: `nats://`, `tls://` (NATS) or `kafka://`. It connects when there is something to hand on. */
export function openBus(text: string): Result<EventBus, { readonly detail: string }> {
  const url = URL.parse(text);
  if (url?.protocol === "nats:" || url?.protocol === "tls:") return ok(new NatsBus(url));
  if (url?.protocol === "kafka:") return ok(new KafkaBus(url));
  return err({ detail: "expected the bus as nats://host:port, tls://host:port or kafka://host:port" });
}
