import { ImageFailure } from "../tools.ts";

/** The files of a system's users and groups. */
export type AccountFiles = { readonly passwd: string; readonly group: string; readonly shadow: string; readonly gshadow: string };

/**
 * Numbers of the users and groups that packages ask for without naming one. Fixed here: files on the data partition belong
 * to numbers, so the next release must give the same, whatever packages it adds.
 */
const SYSTEM_IDS: Readonly<Record<string, number>> = {
  "systemd-network": 998,
  "systemd-timesync": 997,
  "systemd-resolve": 996,
  messagebus: 995,
  "systemd-journal": 994,
  input: 993,
  sgx: 992,
  clock: 991,
  kvm: 990,
  render: 989,
};

/** Days since 1970 of the last change of passwords that nobody has; any fixed number. */
const SHADOW_DAY = 20_454;

type User = {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly gecos: string;
  readonly home: string;
  readonly shell: string;
};

/**
 * What packages declare in sysusers.d (systemd's sysusers.d(5)), evaluated without running anything on the target.
 * Nobody has a password; root's shell stays, for a console that a maker may open.
 *
 * @param declarations the texts of the package's files, in the order of their names
 * @throws ImageFailure on a declaration this does not know or a name without a number
 */
export function makeAccounts(declarations: readonly string[]): AccountFiles {
  const users = new Map<string, User>();
  const groups = new Map<string, { readonly gid: number; readonly members: string[] }>();
  const addGroup = (name: string, gid: number): void => {
    if (!groups.has(name)) groups.set(name, { gid, members: [] });
  };
  for (const line of declarations.join("\n").split("\n")) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [kind = "", name = "", id = "-", gecos = "-", home = "-", shell = "-"] = words(line);
    if (kind === "m") {
      groups.get(id)?.members.push(name);
      continue;
    }
    if (kind === "r") continue;
    if (kind !== "g" && kind !== "u" && kind !== "u!")
      throw new ImageFailure(`expected a declaration of a user or group, got ${JSON.stringify(line)}`);
    const [own, given] = id.split(":");
    const number = own === undefined || own === "-" ? SYSTEM_IDS[name] : Number(own);
    if (number === undefined || !Number.isSafeInteger(number))
      throw new ImageFailure(`expected a fixed number for the system user or group ${name}`);
    if (kind === "g") {
      addGroup(name, number);
      continue;
    }
    const gid = given === undefined ? number : Number(given);
    if (given === undefined) addGroup(name, number);
    const isNamed = (word: string): boolean => word !== "-" && word !== "";
    users.set(name, {
      name,
      uid: number,
      gid,
      gecos: isNamed(gecos) ? gecos : "",
      home: isNamed(home) ? home : "/",
      shell: isNamed(shell) ? shell : "/usr/sbin/nologin",
    });
  }
  const people = [...users.values()].sort((a, b) => a.uid - b.uid);
  const teams = [...groups].sort(([, a], [, b]) => a.gid - b.gid);
  return {
    passwd: people.map(({ name, uid, gid, gecos, home, shell }) => `${name}:x:${uid}:${gid}:${gecos}:${home}:${shell}\n`).join(""),
    shadow: people.map(({ name }) => `${name}:!*:${SHADOW_DAY}::::::\n`).join(""),
    group: teams.map(([name, { gid, members }]) => `${name}:x:${gid}:${members.join(",")}\n`).join(""),
    gshadow: teams.map(([name, { members }]) => `${name}:!*::${members.join(",")}\n`).join(""),
  };
}

/** Words of a line, of which some are quoted. */
function words(line: string): readonly string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");
}
