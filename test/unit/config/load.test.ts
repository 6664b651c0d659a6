import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  describeConfiguration,
  environmentForChild,
  findHome,
  findSystemd,
  formatFault,
  loadConfiguration,
  loadPassphrase,
  NAMED_SETTINGS,
  renderNodeToml,
} from "../../../src/config/index.ts";

let home = "";
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "bizra-config-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function writeToml(text: string): void {
  writeFileSync(join(home, "node.toml"), text);
}

function load(flags: Record<string, string> = {}, environment: Record<string, string> = {}) {
  return loadConfiguration({ home, flags, environment });
}

function sentencesOf(loaded: ReturnType<typeof load>): string[] {
  return loaded.ok ? [] : loaded.error.map(formatFault);
}

test("configuration: nothing is set, the defaults are in force and said to be", () => {
  const loaded = load();
  if (!loaded.ok) throw new Error(sentencesOf(loaded).join());
  expect(loaded.value.values.http.listen).toEqual({ host: "127.0.0.1", port: 8645 });
  expect(loaded.value.values.consensus.profile).toBe("lan");
  expect(describeConfiguration(loaded.value).every((setting) => setting.source === "default")).toBe(true);
});

test("configuration: file, variable and flag set one key, the flag wins and each source is named", () => {
  writeToml('version = 1\n\n[http]\nlisten = "127.0.0.1:1000"\nwaitsMax = 7\n\n[log]\nlevel = "warn"\n');
  const environment = { BIZRA_HTTP_LISTEN: "127.0.0.1:2000", BIZRA_HTTP_WAITS_MAX: "8", OTHER: "x" };
  const loaded = load({ "http-listen": "[::1]:0" }, environment);
  if (!loaded.ok) throw new Error(sentencesOf(loaded).join());
  expect(loaded.value.values.http.listen).toEqual({ host: "::1", port: 0 });
  expect(loaded.value.values.http.waitsMax).toBe(8);
  expect(loaded.value.values.log.level).toBe("warn");
  const described = new Map(describeConfiguration(loaded.value).map((setting) => [setting.key, setting]));
  expect(described.get("http.listen")).toMatchObject({ value: "[::1]:0", source: "flag --http-listen" });
  expect(described.get("http.waitsMax")).toMatchObject({ value: "8", source: "environment variable BIZRA_HTTP_WAITS_MAX" });
  expect(described.get("log.level")).toMatchObject({ value: "warn", source: `${join(home, "node.toml")}:8` });
});

test("configuration: several faults, each is one sentence with place, key, expectation, finding and remedy", () => {
  writeToml('version = 1\n[http]\nlisten = "everywhere"\nbodyBytesMax = "2 MiB"\nlistn = "x"\n[htp]\na = 1\n');
  const file = join(home, "node.toml");
  const sentences = sentencesOf(load({ "log-levle": "info" }, { BIZRA_LOG_LEVEL: "loud" }));
  expect(sentences).toEqual([
    `${file}:3: http.listen: expected an address and a port such as "127.0.0.1:8645" or "[::1]:8645" (port 0: any free one), got "everywhere"; change it, or remove it to use the default "127.0.0.1:8645".`,
    `${file}:4: http.bodyBytesMax: expected a whole number from 16384 to 67108864, got "2 MiB"; change it, or remove it to use the default "2097152".`,
    `${file}:5: http.listn: expected a known key, got "http.listn"; write http.listen if that is meant, or remove it.`,
    `${file}:6: htp: expected a known section, got "htp"; write http if that is meant, or remove it.`,
    `environment variable BIZRA_LOG_LEVEL: log.level: expected one of "debug", "info", "warn", "error", got "loud"; change it, or remove it to use the default "info".`,
    `flag --log-levle: expected the name of a setting, got "log-levle"; write log-level if that is meant, or remove it.`,
  ]);
});

test("configuration: text that is no TOML, the fault names line and column", () => {
  writeToml("version = 1\n[http\n");
  expect(sentencesOf(load())[0]).toMatch(/node\.toml:2: expected TOML, got .+ at column \d+; correct the line\.$/);
});

test("configuration: another or no version, the document is refused", () => {
  writeToml("version = 2\n");
  expect(sentencesOf(load())[0]).toContain("node.toml:1: version: expected 1, got 2; use the program that wrote it");
  writeToml("[log]\n");
  expect(sentencesOf(load())[0]).toContain("node.toml: version: expected 1, got nothing; add the line version = 1 at the top.");
});

test("configuration: a section that is no table or a file that is a directory, a fault and no crash", () => {
  writeToml("version = 1\nhttp = 3\n");
  expect(sentencesOf(load())[0]).toContain("node.toml:2: http: expected a table, got 3; write [http] and its keys below it.");
  rmSync(join(home, "node.toml"));
  mkdirSync(join(home, "node.toml"));
  expect(sentencesOf(load())[0]).toContain("expected a readable file, got EISDIR");
});

test("configuration: a prototype key, refused like any unknown one", () => {
  writeToml('version = 1\n["__proto__"]\nlisten = 1\n');
  expect(load().ok).toBe(false);
});

test("configuration: settings that contradict each other, the fault names both", () => {
  const sentences = sentencesOf(load({}, { BIZRA_STORAGE_FREE_BYTES_MIN: "1073741824" }));
  expect(sentences).toEqual([
    "environment variable BIZRA_STORAGE_FREE_BYTES_MIN: storage.freeBytesMin: expected at most storage.freeBytesWarn (536870912), got 1073741824; lower storage.freeBytesMin or raise storage.freeBytesWarn.",
  ]);
});

test("configuration: a BIZRA_ variable that is no setting, refused unless it is a known other one", () => {
  expect(load({}, { BIZRA_HOME: "/x", BIZRA_PASSPHRASE: "y" }).ok).toBe(true);
  expect(sentencesOf(load({}, { BIZRA_ZZZZZZZZZZZZ: "1" }))[0]).toContain('got "BIZRA_ZZZZZZZZZZZZ"; remove it.');
  expect(findHome({ BIZRA_HOME: "/x" })).toBe("/x");
  expect(findHome({ BIZRA_HOME: "" })).toBeUndefined();
});

test("configuration: the template with values, reads back to those values", () => {
  writeToml(renderNodeToml({ "http.listen": "127.0.0.1:0", "consensus.profile": "wan", "storage.checkpointBlocks": "64" }));
  const loaded = load();
  if (!loaded.ok) throw new Error(sentencesOf(loaded).join());
  const set = describeConfiguration(loaded.value).filter((setting) => setting.source !== "default");
  expect(set.map(({ key, value }) => [key, value])).toEqual([
    ["http.listen", "127.0.0.1:0"],
    ["consensus.profile", "wan"],
    ["storage.checkpointBlocks", "64"],
  ]);
});

test("configuration: a list, from an array, a text with commas or spaces, a variable or a template, the same words", () => {
  const peersOf = (loaded: ReturnType<typeof load>) => (loaded.ok ? loaded.value.values.network.peers : sentencesOf(loaded));
  const key = "ab".repeat(32);
  const words = [`${key}@10.0.0.2:8646`, "box.example.org:8646", "/ip4/10.0.0.3/tcp/8646"];
  writeToml(`version = 1\n[network]\npeers = ${JSON.stringify(words)}\n`);
  expect(peersOf(load())).toEqual(words);
  writeToml(`version = 1\n[network]\npeers = ${JSON.stringify(words.join(", "))}\n`);
  expect(peersOf(load())).toEqual(words);
  expect(peersOf(load({}, { BIZRA_NETWORK_PEERS: words.slice(1).join(" ") }))).toEqual(words.slice(1));
  writeToml(renderNodeToml({ "network.peers": words.join(",") }));
  expect(peersOf(load())).toEqual(words);
  writeToml("version = 1\n[network]\npeers = [1]\n");
  expect(peersOf(load())).toEqual([expect.stringContaining("expected up to 256 of host:port")]);
  writeToml('version = 1\n[network]\npeers = ["host"]\n');
  expect(peersOf(load())).toEqual([expect.stringContaining("network.peers")]);
});

test("configuration: the template with every comment opened, reads back to the defaults", () => {
  const opened = renderNodeToml({}).replace(/^# ([A-Za-z]+ = )/gm, "$1");
  writeToml(opened);
  const loaded = load();
  if (!loaded.ok) throw new Error(sentencesOf(loaded).join());
  for (const { key, setting } of NAMED_SETTINGS) {
    const described = describeConfiguration(loaded.value).find((candidate) => candidate.key === key);
    expect([key, described?.value]).toEqual([key, setting.show(setting.fallback)]);
    expect(described?.source).toContain("node.toml:");
  }
});

test("configuration: the template with an unknown key or bad value, a broken invariant", () => {
  expect(() => renderNodeToml({ "http.port": "1" })).toThrow("http.port");
  expect(() => renderNodeToml({ "log.level": "loud" })).toThrow("log.level");
});

test("configuration: every setting, its own default passes its own check and its names are unique", () => {
  for (const { setting } of NAMED_SETTINGS) expect(setting.checkText(setting.show(setting.fallback)).ok).toBe(true);
  for (const name of ["key", "variable", "flag"] as const) {
    expect(new Set(NAMED_SETTINGS.map((named) => named[name])).size).toBe(NAMED_SETTINGS.length);
  }
});

test("passphrase: given by variable, by private file or not at all", () => {
  writeFileSync(join(home, "pass"), "correct horse\n", { mode: 0o600 });
  expect(loadPassphrase(home, "pass", {})).toEqual({ ok: true, value: "correct horse" });
  expect(loadPassphrase(home, join(home, "pass"), {})).toEqual({ ok: true, value: "correct horse" });
  expect(loadPassphrase(home, "pass", { BIZRA_PASSPHRASE: "battery" })).toEqual({ ok: true, value: "battery" });
  expect(loadPassphrase(home, "", {})).toEqual({ ok: true, value: undefined });
});

test("passphrase: a file that is absent, empty or open to others, refused with the way to mend it", () => {
  const refusal = (name: string): string => {
    const loaded = loadPassphrase(home, name, {});
    return loaded.ok ? "" : formatFault(loaded.error);
  };
  expect(refusal("absent")).toContain("expected a file, got nothing; create it");
  writeFileSync(join(home, "empty"), "\n", { mode: 0o600 });
  expect(refusal("empty")).toContain("expected a passphrase, got an empty file");
  writeFileSync(join(home, "open"), "secret\n");
  chmodSync(join(home, "open"), 0o644);
  expect(refusal("open")).toContain("expected a file readable by its owner alone, got mode 644; run chmod 600");
  expect(refusal("open")).not.toContain("secret");
});

test("configuration: what systemd says in the environment, heard by the process it is meant for, kept from its children", () => {
  const environment = { NOTIFY_SOCKET: "/run/n", WATCHDOG_USEC: "30000000", WATCHDOG_PID: "7", BUN_OPTIONS: "--x", PATH: "/bin" };
  expect(findSystemd(environment, 7)).toEqual({ socket: "/run/n", watchdogMs: 30_000 });
  expect(findSystemd(environment, 8)).toEqual({ socket: "/run/n", watchdogMs: undefined });
  expect(findSystemd({ WATCHDOG_USEC: "soon" }, 7)).toEqual({ socket: undefined, watchdogMs: undefined });
  expect(environmentForChild({ ...environment, GONE: undefined })).toEqual({ PATH: "/bin" });
});
