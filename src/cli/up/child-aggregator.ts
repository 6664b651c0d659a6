import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { toHex } from "../../kernel/index.ts";
import { systemEntropy } from "../../node/index.ts";
import { AGGREGATOR_PASSPHRASE, findAggregator } from "../aggregator-home.ts";
import { writeNew } from "../home.ts";
import { type ChildParts, isReadyAt, SupervisedChild } from "./supervised-child.ts";

/** An aggregator that answers. */
export type ReadyAggregator = { readonly http: string; readonly pid: number };

/**
 * An aggregator as a child process on loopback, which takes the nodes of one network by their first hello. Its home is
 * made when there is none. It stays at the port it was given, since nodes know it by that.
 *
 * @param network the genesis hash
 */
export function childAggregator(
  home: string,
  port: number,
  network: Uint8Array,
  ports: Pick<ChildParts<ReadyAggregator>, "timers" | "onReady" | "onTrouble">,
): SupervisedChild<ReadyAggregator> {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const passphrase = join(home, AGGREGATOR_PASSPHRASE);
  if (!existsSync(passphrase)) writeNew(passphrase, `${toHex(systemEntropy.bytes(32))}\n`);
  return new SupervisedChild({
    name: `the aggregator on ${home}`,
    logPath: join(home, "aggregator.log"),
    words: () => [
      "aggregator",
      "--home",
      home,
      "--listen",
      `127.0.0.1:${port}`,
      "--open",
      "--network",
      toHex(network),
      "--passphrase-file",
      passphrase,
    ],
    async findReady(pid) {
      const running = findAggregator(home);
      return running?.pid === pid && (await isReadyAt(running.http)) ? { http: running.http, pid } : undefined;
    },
    ...ports,
  });
}
