import { isTopic } from "../access/index.ts";
import type { Access, Submission } from "../types.ts";

/**
 * The topic that a submission's receipts go to: its Response Topic, else the usual one; undefined when it may not name that.
 * The node publishes there in its own name, so reading it is not enough: a device could have the node speak on a public
 * topic. It must lie below the device's receipt topic, or be one that the device may both read and publish to itself.
 */
export function responseTopicOf(
  { principal, properties }: Pick<Submission, "principal" | "properties">,
  usual: string,
  access: Pick<Access, "mayPublish" | "maySubscribe">,
): string | undefined {
  const asked = properties.responseTopic;
  if (asked === undefined || asked === usual) return usual;
  if (!isTopic(asked) || !access.maySubscribe(principal, asked)) return undefined;
  return asked.startsWith(`${usual}/`) || access.mayPublish(principal, asked) ? asked : undefined;
}
