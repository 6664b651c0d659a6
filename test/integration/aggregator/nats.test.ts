/** The aggregator's bus on a real NATS server with JetStream. */
import { test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { installPackages } from "../../e2e/support/debian.ts";
import { describeEventBus, type Heard } from "./event-bus.ts";
import { freePort, takesConnections } from "./postgresql.ts";

const find = (): string | null => Bun.which("nats-server", { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin` });
const fault = find() === null ? await installPackages(["nats-server"]) : undefined;
const program = find();

if (program === null) {
  console.warn(`SKIPPED: the aggregator on NATS. No nats-server here: ${fault ?? "it was installed and is not found"}`);
  test.skip("event bus: NATS JetStream", () => {});
} else {
  const folder = mkdtempSync(join(tmpdir(), "bizra-nats-"));
  const port = freePort();
  let server: Bun.Subprocess | undefined;
  const kill = async (): Promise<void> => {
    server?.kill("SIGKILL");
    await server?.exited;
  };
  describeEventBus({
    name: "NATS JetStream",
    url: () => `nats://127.0.0.1:${port}`,
    start: async () => {
      server = Bun.spawn([program, "-a", "127.0.0.1", "-p", String(port), "-js", "-sd", folder], { stdout: "ignore", stderr: "ignore" });
      if (!(await takesConnections(port))) throw new Error("nats-server takes no connections");
    },
    kill,
    remove: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
    read: async () => {
      const connection = await connect({ servers: `127.0.0.1:${port}` });
      const streams = await jetstreamManager(connection);
      const { state } = await streams.streams.info("BIZRA_EVENTS");
      const { name } = await streams.consumers.add("BIZRA_EVENTS", { ack_policy: AckPolicy.None });
      const consumer = await jetstream(connection).consumers.get("BIZRA_EVENTS", name);
      const heard: Heard[] = [];
      while (heard.length < state.messages) {
        for await (const message of await consumer.fetch({ max_messages: 500, expires: 2_000 })) {
          const [kind, events, network, node] = message.subject.split(".");
          heard.push({ topic: `${kind}.${events}`, node: `${network}.${node}`, text: message.string() });
        }
      }
      await connection.close();
      return heard;
    },
  });
}
