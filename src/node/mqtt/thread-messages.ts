import type { BrokerFigures, Publication, ReceivedMessage } from "../../../appliance/broker/index.ts";
import type { LogFields } from "../../kernel/index.ts";
import type { MetricFamily } from "../../monitoring/index.ts";
import type { ServicePlan } from "./mqtt-service.ts";
import type { EndingParcel, GroupParcel, OutcomeParcel } from "./parcels.ts";

/** Where the broker's doors are. */
export type MqttUrls = { readonly tcp?: string; readonly tls?: string; readonly webSocket?: string };

/** What the node tells the broker's thread. */
export type ToBroker =
  | { readonly kind: "start"; readonly plan: ServicePlan }
  | { readonly kind: "outcomes"; readonly ticket: number; readonly parcel: OutcomeParcel }
  | { readonly kind: "submissionFailed"; readonly ticket: number; readonly detail: string }
  | { readonly kind: "endings"; readonly parcel: EndingParcel }
  | { readonly kind: "publish"; readonly ticket: number; readonly publication: Publication }
  | { readonly kind: "subscribe"; readonly subscription: number; readonly filter: string }
  | { readonly kind: "unsubscribe"; readonly subscription: number }
  | { readonly kind: "stop" };

/** What the broker's thread tells the node. */
export type FromBroker =
  | { readonly kind: "started"; readonly urls: MqttUrls }
  | { readonly kind: "refused"; readonly detail: string }
  | { readonly kind: "submit"; readonly ticket: number; readonly parcel: GroupParcel }
  | { readonly kind: "published"; readonly ticket: number }
  | { readonly kind: "received"; readonly subscription: number; readonly message: ReceivedMessage }
  | { readonly kind: "figures"; readonly figures: BrokerFigures; readonly families: readonly MetricFamily[] }
  | {
      readonly kind: "log";
      readonly level: "debug" | "info" | "warn" | "error";
      readonly event: string;
      readonly fields: LogFields | undefined;
    }
  | { readonly kind: "failed"; readonly failure: ThreadFailure }
  | { readonly kind: "stopped" };

/** Why the broker can no longer keep its promises. */
export type ThreadFailure = {
  readonly message: string;
  /** Set when the disk is at fault. */
  readonly storage?: { readonly code: string; readonly path: string };
};
