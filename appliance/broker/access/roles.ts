import { coversWithParent } from "./filter-rules.ts";

/** What a principal may do beyond reading what is public. */
export const ROLES = ["device", "reader", "fleet", "scada"] as const;

/** One of the roles. */
export type Role = (typeof ROLES)[number];

/** Where topics of this node lie. */
export type TopicScope = {
  /** First 8 hex digits of the genesis hash. */
  readonly network: string;
  /** Id of this node: 1-64 of `A-Za-z0-9_-`. */
  readonly node: string;
};

/** Topic filters that a principal may publish to and subscribe to. */
export type Permissions = { readonly publish: readonly string[]; readonly subscribe: readonly string[] };

/** Topics that everybody who is let in may read. */
export function publicFilters({ network }: TopicScope): readonly string[] {
  const root = `bizra/v1/${network}`;
  return [
    `${root}/node/+/status`,
    `${root}/node/+/info`,
    `${root}/node/+/head`,
    `${root}/node/+/health`,
    `${root}/node/+/metrics`,
    `${root}/events/#`,
    "spBv1.0/#",
    "homeassistant/#",
    "$SYS/#",
  ];
}

/** Where a device submits transactions. */
export function submitTopicOf(scope: TopicScope, device: string): string {
  return `bizra/v1/${scope.network}/tx/${device}/submit`;
}

/** Where a device's receipts go unless it names another topic; it may name any below it. */
export function receiptTopicOf(scope: TopicScope, device: string): string {
  return `bizra/v1/${scope.network}/tx/${device}/receipt`;
}

/**
 * What a role permits. A device publishes to its own submit topic; the fleet commands this node and reads the answers
 * below a topic of its own; scada commands Sparkplug edge nodes and says that it is there; a reader publishes nothing.
 * Everything else under `bizra/` is the node's own.
 */
export function permissionsOf(role: Role, name: string, scope: TopicScope): Permissions {
  const open = publicFilters(scope);
  const root = `bizra/v1/${scope.network}`;
  switch (role) {
    case "device":
      return { publish: [submitTopicOf(scope, name)], subscribe: [...open, `${receiptTopicOf(scope, name)}/#`] };
    case "reader":
      return { publish: [], subscribe: open };
    case "fleet":
      return { publish: [`${root}/node/${scope.node}/cmd/+`], subscribe: [...open, `${root}/fleet/${name}/#`] };
    case "scada":
      return {
        publish: ["spBv1.0/+/NCMD/+", "spBv1.0/+/DCMD/+/+", "spBv1.0/STATE/+", "STATE/+", "homeassistant/status"],
        subscribe: [...open, "STATE/+"],
      };
  }
}

/** Whether one of the filters takes in everything that `asked` can match. */
export function permits(filters: readonly string[], asked: string): boolean {
  return filters.some((filter) => coversWithParent(filter, asked));
}

/**
 * Whether a user may be granted to publish here: anywhere with a first level written out, but not among the topics that
 * the node vouches for.
 */
export function isGrantable(filter: string): boolean {
  const [first = ""] = filter.split("/");
  return first !== "" && first !== "+" && first !== "#" && !first.startsWith("$") && first !== "bizra";
}
