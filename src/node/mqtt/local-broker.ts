import type { LocalBroker } from "../../../appliance/telemetry/index.ts";
import type { BrokerThread } from "./broker-thread.ts";

/** The node's own broker as telemetry speaks to it. */
export function localBrokerOf(thread: BrokerThread): LocalBroker {
  return {
    publish: ({ topic, payload, qos, isRetained, contentType, correlationData }) =>
      thread.publish({
        topic,
        payload,
        qos,
        isRetain: isRetained,
        isVolatile: true, // told again at each start
        properties: { ...(contentType === undefined ? {} : { contentType }), ...(correlationData ? { correlationData } : {}) },
      }),
    subscribe: (filter, handler) =>
      thread.onPublish(filter, ({ topic, payload, properties: { responseTopic, correlationData } }) =>
        handler({
          topic,
          payload,
          ...(responseTopic === undefined ? {} : { responseTopic }),
          ...(correlationData ? { correlationData } : {}),
        }),
      ),
  };
}
