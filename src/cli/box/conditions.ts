import { existsSync, readFileSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { mountOf, parseMounts } from "../../../appliance/hardware/index.ts";
import type { BoxConditions } from "../../../appliance/provisioning/index.ts";
import { BOX } from "./box-files.ts";

/** Less than this is free where the home lies, for the node's user: the box can hardly write anything any more. */
export const FREE_BYTES_MIN = 8 * 1024 * 1024;

/** Where a machine says what is wrong with it; a test has a folder of its own. */
export type ConditionPlaces = {
  /** What the first program of an image found wrong, as empty files named after partitions. */
  readonly faults: string;
  readonly mounts: string;
  readonly sshServers: readonly string[];
};

const PLACES: ConditionPlaces = {
  faults: "/run/bizra",
  mounts: "/proc/mounts",
  sshServers: ["/usr/sbin/sshd", "/usr/sbin/dropbear"],
};

/** Something wrong with where a box keeps what it must not lose. `code` is stable. */
export type StorageFault = { readonly code: "dataLost" | "signstateLost" | "dataReadOnly" | "dataFull"; readonly sentence: string };

/** What is wrong with the storage below a home, as sentences that say what to do. */
export function findStorageFaults(home: string, { faults, mounts }: ConditionPlaces = PLACES): readonly StorageFault[] {
  const found: StorageFault[] = [];
  const say = (code: StorageFault["code"], sentence: string): void => void found.push({ code, sentence });
  const isLost = existsSync(join(faults, "data-failed"));
  if (isLost) {
    say(
      "dataLost",
      "The data partition cannot be used, and was left as it is: the box runs on memory, without its keys and its chain, and forgets " +
        "everything when it is switched off. Restart it; when this stays, its disk fails: let somebody examine it, or flash another one and " +
        "restore a backup.",
    );
  }
  if (existsSync(join(faults, "signstate-failed"))) {
    say(
      "signstateLost",
      "The partition signstate cannot be used: what the validator signed stands there too, so it signs nothing and only follows. " +
        "Restart the box; when this stays, rotate to a new key on another disk.",
    );
  }
  if (isLost || !existsSync(home)) return found;
  const mount = existsSync(mounts) ? mountOf(parseMounts(readFileSync(mounts, "utf8")), home) : undefined;
  if (mount?.isReadOnly === true) {
    say("dataReadOnly", `${mount.point} has turned read-only, as when its disk fails: nothing is kept any more. Replace the disk.`);
    return found;
  }
  const { bavail, bsize } = statfsSync(home);
  if (bavail * bsize < FREE_BYTES_MIN) {
    say(
      "dataFull",
      "The data partition is full: the node cannot go on. Use a larger disk, or make the node keep less (storage.keepBlocks).",
    );
  }
  return found;
}

/** What provisioning must know of the machine. */
export function conditionsOf(home: string, places: ConditionPlaces = PLACES): BoxConditions {
  const faults = findStorageFaults(home, places);
  const standstill = faults.find(({ code }) => code === "dataLost" || code === "dataReadOnly")?.sentence;
  return {
    isBeingReset: existsSync(join(home, BOX.reset)),
    ...(standstill !== undefined && { standstill }),
    notes: faults.flatMap(({ sentence }) => (sentence === standstill ? [] : [sentence])),
    hasSshServer: places.sshServers.some((path) => existsSync(path)),
  };
}
