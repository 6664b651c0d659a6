import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { makeFleetUser, USERS_FILE, writeUsers } from "../../../sync/aggregator/index.ts";
import { present, toHex } from "../../kernel/index.ts";
import { systemEntropy } from "../../node/index.ts";
import { AGGREGATOR_PASSPHRASE, CONSOLE_PASSWORD, CONSOLE_USER, findAggregator } from "../aggregator-home.ts";
import { writeNew } from "../home.ts";
import { type ChildParts, isReadyAt, SupervisedChild } from "./supervised-child.ts";

/** An aggregator that answers. */
export type ReadyAggregator = {
  readonly http: string;
  readonly pid: number;
  /** Who may log in to its console, and the file of the password. */
  readonly console: { readonly user: string; readonly passwordFile: string };
};

/**
 * An aggregator as a child process on loopback, which takes the nodes of one network by their first hello. Its home is
 * made when there is none. It stays at the address where it first answered, since nodes know it by that.
 *
 * @param listen its address; port 0 stands for any free one
 * @param network the genesis hash
 */
export async function childAggregator(
  home: string,
  listen: string,
  network: Uint8Array,
  ports: Pick<ChildParts<ReadyAggregator>, "timers" | "onReady" | "onTrouble">,
): Promise<SupervisedChild<ReadyAggregator>> {
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const passphrase = join(home, AGGREGATOR_PASSPHRASE);
  if (!existsSync(passphrase)) writeNew(passphrase, `${toHex(systemEntropy.bytes(32))}\n`);
  let address = listen;
  let hasBeenReady = false;
  const consoleAccess = await openConsole(home);
  return new SupervisedChild({
    name: `the aggregator on ${home}`,
    logPath: join(home, "aggregator.log"),
    words: () => [
      "aggregator",
      "--home",
      home,
      "--listen",
      address,
      "--open",
      "--network",
      toHex(network),
      "--passphrase-file",
      passphrase,
    ],
    async findReady(pid) {
      const running = findAggregator(home);
      if (running?.pid !== pid || !(await isReadyAt(running.http))) return undefined;
      address = new URL(running.http).host;
      hasBeenReady = true;
      return { http: running.http, pid, console: consoleAccess };
    },
    timers: ports.timers,
    onReady: ports.onReady,
    onTrouble(sentence) {
      if (!hasBeenReady) address = "127.0.0.1:0"; // another program may have taken the port meanwhile
      ports.onTrouble(sentence);
    },
  });
}

/** Makes the console's first user with a random password where there is none. */
async function openConsole(home: string): Promise<ReadyAggregator["console"]> {
  const passwordFile = join(home, CONSOLE_PASSWORD);
  const users = join(home, USERS_FILE);
  if (!existsSync(passwordFile) && !existsSync(users)) {
    const password = toHex(systemEntropy.bytes(12));
    const user = await makeFleetUser(CONSOLE_USER, "admin", password);
    writeNew(passwordFile, `${password}\n`);
    writeUsers(users, [present(user.ok ? user.value : undefined, "a random password is a good one")]);
  }
  return { user: CONSOLE_USER, passwordFile };
}
