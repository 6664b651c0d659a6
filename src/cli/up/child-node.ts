import { join } from "node:path";
import { findRunningNode } from "../../node/index.ts";
import { type ChildParts, isReadyAt, SupervisedChild } from "./supervised-child.ts";

/** A node that answers: where, and as which process. */
export type ReadyNode = { readonly home: string; readonly http: string; readonly mqtt: string; readonly pid: number };

/** Where a child listens; port 0 stands for any free one. */
export type ChildAddresses = { readonly http: string; readonly mqtt: string };

const ANY_PORT: ChildAddresses = { http: "127.0.0.1:0", mqtt: "127.0.0.1:0" };

/**
 * A node as a child process, restarted on the same addresses.
 *
 * @param listen addresses of its HTTP interface and of its device broker
 * @param flags further words of its command line
 */
export function childNode(
  home: string,
  listen: ChildAddresses,
  flags: readonly string[],
  ports: Pick<ChildParts<ReadyNode>, "timers" | "onReady" | "onTrouble">,
): SupervisedChild<ReadyNode> {
  let addresses = listen;
  let hasBeenReady = false;
  return new SupervisedChild({
    name: `the node on ${home}`,
    logPath: join(home, "node.log"),
    words: () => ["node", "--home", home, "--http-listen", addresses.http, "--mqtt-listen", addresses.mqtt, ...flags],
    async findReady(pid) {
      const running = findRunningNode(home);
      if (running?.pid !== pid || running.mqtt === undefined || !(await isReadyAt(running.http))) return undefined;
      addresses = { http: new URL(running.http).host, mqtt: new URL(running.mqtt).host };
      hasBeenReady = true;
      return { home, http: running.http, mqtt: running.mqtt, pid };
    },
    timers: ports.timers,
    onReady: ports.onReady,
    onTrouble(sentence) {
      // Before its address was told to anyone it may move: another program may have taken the port meanwhile.
      if (!hasBeenReady) addresses = ANY_PORT;
      ports.onTrouble(sentence);
    },
  });
}
