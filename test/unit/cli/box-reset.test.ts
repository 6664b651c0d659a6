import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { confirmationOf, finishReset, orderReset, planReset } from "../../../src/cli/box/reset.ts";
import { HOME } from "../../../src/node/index.ts";

let place = "";
let home = "";
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "bizra-reset-"));
  home = join(place, "home");
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

/** What each file of a home is to a reset of the settings: a new file of the home needs a word here, and in docs/box.md. */
const AFTER_SETTINGS = {
  configuration: "anew",
  genesis: "kept",
  validatorKey: "kept",
  nextKey: "kept",
  nextJournal: "kept",
  retired: "kept",
  custody: "kept",
  signstate: "kept",
  observerKey: "kept",
  observerJournal: "kept",
  handAudit: "kept",
  identityKey: "kept",
  passphrase: "kept",
  lock: "kept",
  journal: "kept",
  batches: "kept",
  chain: "kept",
  node: "kept",
  ops: "kept",
  telemetry: "gone",
  sync: "kept",
  broker: "gone",
  mqttAccess: "gone",
  state: "kept",
  snapshot: "kept",
  snapshotState: "kept",
  snapshotWanted: "kept",
  behind: "kept",
  restoring: "kept",
  drill: "kept",
  index: "kept",
  run: "kept",
} as const satisfies Readonly<Record<keyof typeof HOME, "kept" | "gone" | "anew">>;

const BESIDE = {
  "sync/node.pem": "gone",
  "sync/authority.pem": "gone",
  "box/provisioning.json": "gone",
  "box/console.json": "gone",
  "box/download/bundle.part": "gone",
  "box/update.json": "kept",
  "telemetry.db-wal": "gone",
  "broker.db.sums/0": "gone",
  "sync.db.mark": "kept",
  "chain.db.sums/0": "kept",
  "chain.db-wal": "kept",
} as const;

function put(path: string, text = "something"): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** A home with everything that one can have, folders with a file in them. */
function fill(): void {
  for (const name of [...Object.values(HOME), ...Object.keys(BESIDE)]) {
    const isFolder = ["journal", "journal.next", "journal.observer", "retired", "custody", "batches", "index", "drill"].includes(name);
    put(join(home, isFolder ? `${name}/file` : name));
  }
  put(join(place, "system/hostname"));
  put(join(place, "system/ssh/authorized_keys"));
}

const order = (tier: "settings" | "everything") => ({ tier, system: join(place, "system") });

describe("a factory reset", () => {
  test("box: of the settings, each file as the table says, the system's settings gone", () => {
    fill();
    orderReset(home, order("settings"));
    expect(finishReset(home)).toBe("settings");
    for (const [key, word] of Object.entries(AFTER_SETTINGS)) {
      const path = join(home, HOME[key as keyof typeof HOME]);
      expect([key, existsSync(path)]).toEqual([key, word !== "gone"]);
    }
    for (const [name, word] of Object.entries(BESIDE)) expect([name, existsSync(join(home, name))]).toEqual([name, word === "kept"]);
    expect(readFileSync(join(home, HOME.configuration), "utf8")).toContain('passphraseFile = "keys/passphrase"');
    expect(readFileSync(join(home, "journal/file"), "utf8")).toBe("something");
    expect(readdirSync(join(place, "system"))).toEqual([]);
    expect(existsSync(join(home, "box/reset"))).toBe(false);
  });

  test("box: of everything, nothing left but what is true of the machine's slots", () => {
    fill();
    orderReset(home, order("everything"));
    expect(finishReset(home)).toBe("everything");
    expect(readdirSync(home).sort()).toEqual(["box", "signstate"]);
    expect(readdirSync(join(home, "box"))).toEqual(["update.json"]);
    expect(readdirSync(join(place, "system"))).toEqual([]);
  });

  test.each(["settings", "everything"] as const)("box: of %s, cut short anywhere, the next start ends it the same way", (tier) => {
    fill();
    const planned = planReset(home, tier).length;
    rmSync(place, { recursive: true });
    let expected: string[] | undefined;
    for (let done = 0; done <= planned; done++) {
      fill();
      orderReset(home, order(tier));
      for (const name of planReset(home, tier).slice(0, done)) rmSync(join(home, name), { recursive: true });
      expect(finishReset(home)).toBe(tier);
      const left = readdirSync(place, { recursive: true, encoding: "utf8" }).sort();
      expected ??= left;
      expect([done, left]).toEqual([done, expected]);
      rmSync(place, { recursive: true });
    }
  });

  test("box: a journal on a partition of its own, reached by a link, emptied with everything and the link stays; kept with the settings", () => {
    fill();
    rmSync(join(home, "journal"), { recursive: true });
    put(join(place, "signstate/segment"));
    symlinkSync(join(place, "signstate"), join(home, "journal"));
    orderReset(home, order("settings"));
    finishReset(home);
    expect(readFileSync(join(home, "journal/segment"), "utf8")).toBe("something");
    orderReset(home, order("everything"));
    finishReset(home);
    expect(readdirSync(join(place, "signstate"))).toEqual([]);
    expect(existsSync(join(home, "journal"))).toBe(true);
  });

  test.each(["settings", "everything"] as const)(
    "box: of %s, what keys have signed stays in its place apart, and the link to it",
    (tier) => {
      fill();
      rmSync(join(home, "signstate"));
      put(join(place, "apart/signed/key.signed"));
      symlinkSync(join(place, "apart"), join(home, "signstate"));
      orderReset(home, order(tier));
      finishReset(home);
      expect(readFileSync(join(home, "signstate/signed/key.signed"), "utf8")).toBe("something");
    },
  );

  test("box: none is ordered, nothing happens; no key, nothing to confirm", () => {
    fill();
    expect(finishReset(home)).toBeUndefined();
    expect(existsSync(join(home, HOME.telemetry))).toBe(true);
    rmSync(join(home, HOME.validatorKey));
    expect(confirmationOf(home)).toBeUndefined();
  });
});
