import type { CoreStatus } from "../consensus/index.ts";
import type { StatusView } from "../gateway/index.ts";

/** How a node stands to its chain, for people: one that is in no set and follows is as synced as one that votes. */
export function syncStateOf({ voting, isLagging }: Pick<CoreStatus, "voting" | "isLagging">): StatusView["syncState"] {
  if (voting === "outdated") return "outdated";
  if (isLagging) return "catchingUp";
  return voting === "voting" || voting === "following" ? "synced" : "recovering";
}
