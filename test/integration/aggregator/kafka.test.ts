/** The aggregator's bus on a real Apache Kafka. */
import { afterAll, test } from "bun:test";
import { Consumer, stringDeserializers } from "@platformatic/kafka";
import { BUS_TOPICS } from "../../../sync/aggregator/bus/message.ts";
import { describeEventBus, type Heard } from "./event-bus.ts";
import { findKafka, KafkaServer } from "./kafka.ts";

const kafka = await findKafka();
if ("reason" in kafka) {
  console.warn(`SKIPPED: the aggregator on Kafka. ${kafka.reason}`);
  test.skip("event bus: Kafka", () => {});
} else {
  const server = new KafkaServer(kafka);
  afterAll(() => server.remove());
  let reads = 0;
  describeEventBus({
    name: "Kafka",
    url: () => `kafka://127.0.0.1:${server.port}`,
    start: () => server.start(),
    kill: () => server.kill(),
    remove: () => server.remove(),
    read: async () => {
      const options = {
        groupId: `readers-${++reads}`,
        clientId: "reader",
        bootstrapBrokers: [`127.0.0.1:${server.port}`],
        deserializers: stringDeserializers,
      };
      const consumer = new Consumer(options);
      const topics = [...BUS_TOPICS];
      const ends = await consumer.listOffsets({ topics });
      let left = [...ends.values()].flat().reduce((sum, end) => sum + Number(end), 0);
      const heard: Heard[] = [];
      const stream = await consumer.consume({ topics, mode: "earliest", autocommit: false });
      for await (const { topic, key, value } of stream) {
        heard.push({ topic, node: key, text: value });
        if (--left === 0) break;
      }
      await consumer.close(true);
      return heard;
    },
  });
}
