import type { AcceptRefusal, Connection, Transport } from "../../../../../appliance/broker/index.ts";
import { err, ok, type Result } from "../../../../../src/kernel/index.ts";

/** Stands in for the engine behind a door: sends back what comes, and remembers whom it was handed. */
export class EchoBroker {
  readonly transports: Transport[] = [];
  readonly closed: Transport[] = [];
  drains = 0;
  refusal: AcceptRefusal | undefined;

  accept(transport: Transport): Result<Connection, AcceptRefusal> {
    if (this.refusal) return err(this.refusal);
    this.transports.push(transport);
    return ok({
      onBytes: (chunk) => void transport.write(chunk),
      onDrain: () => void this.drains++,
      onClosed: () => void this.closed.push(transport),
    });
  }
}
