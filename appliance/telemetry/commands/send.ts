import { bytesEqual, err, ok, type Result, toHex } from "../../../src/kernel/index.ts";
import { MqttConnector, type MqttParts } from "../mqtt-outlet.ts";
import { type NodeName, nodeTopic } from "../topics.ts";

/** What sending a command takes. */
export type SendParts = MqttParts & {
  readonly name: NodeName;
  readonly verb: string;
  /** The COSE_Sign1. */
  readonly signed: Uint8Array;
  /** The name under which answers are heard: the login, where the broker binds topics to it. */
  readonly answersTo: string;
  readonly limitMs: number;
};

/** Why there is no answer: no connection was made, the broker refused the command, or the node said nothing in time. */
export type SendFault = "unreachable" | "refusedByBroker" | "noAnswer";

/** The node's answer as it came, in JSON. */
export type CommandAnswer = { readonly status: string; readonly [field: string]: unknown };

/**
 * Sends one signed command and waits for the answer, which comes on a topic of its own below `bizra/v1/{net}/fleet/{name}`.
 * A command that was sent and not answered may have been carried out: send a new one, not this one again.
 */
export function sendCommand(parts: SendParts): Promise<Result<CommandAnswer, SendFault>> {
  const { name, verb, signed, answersTo, limitMs, timers, entropy } = parts;
  const correlationData = entropy.bytes(8);
  const responseTopic = `bizra/v1/${name.network}/fleet/${answersTo}/${toHex(correlationData)}`;
  const outlet = new MqttConnector("command", parts).session({ name: "command", endsWithWill: false });
  return new Promise((resolve) => {
    let fault: SendFault = "unreachable";
    const end = (result: Result<CommandAnswer, SendFault>): void => {
      cancel();
      void outlet.close().then(() => resolve(result));
    };
    const cancel = timers.after(limitMs, () => end(err(fault)));
    outlet.subscribe(responseTopic, 1, (message) => {
      const answer = answerOf(message.payload);
      if (answer && message.correlationData && bytesEqual(message.correlationData, correlationData)) end(ok(answer));
    });
    outlet.onConnectionChange((isConnected) => {
      if (!isConnected || fault === "noAnswer") return;
      fault = "noAnswer"; // from here on it may have arrived: it is not sent twice
      const message = {
        topic: nodeTopic(name, `cmd/${verb}`),
        payload: signed,
        qos: 1,
        isRetained: false,
        responseTopic,
        correlationData,
      } as const;
      void outlet.publish(message).then((delivery) => {
        if (delivery === "refused") end(err("refusedByBroker"));
      });
    });
    outlet.open();
  });
}

function answerOf(payload: Uint8Array): CommandAnswer | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(payload));
    if (typeof value !== "object" || value === null || !("status" in value) || typeof value.status !== "string") return undefined;
    return { ...value, status: value.status };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // a SyntaxError is how JSON.parse reports malformed text
    return undefined;
  }
}
