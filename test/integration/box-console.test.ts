import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packSupport } from "../../appliance/console/index.ts";
import { adminFile } from "../../src/cli/box/admin-file.ts";
import { ConsoleDesk } from "../../src/cli/box/console-desk.ts";
import { openProvisioner } from "../../src/cli/box/provisioning.ts";
import type { CommandInput } from "../../src/cli/command.ts";
import { createNetwork } from "../../src/cli/network-files.ts";
import { makeP256Key } from "../../src/crypto/index.ts";
import { silentLog, toHex } from "../../src/kernel/index.ts";
import { systemClock, systemEntropy } from "../../src/node/index.ts";

const place = mkdtempSync(join(tmpdir(), "bizra-box-console-"));
afterAll(() => rmSync(place, { recursive: true, force: true }));

const TOKEN = "bzct_a-token-that-is-still-to-be-used-0001";

test("box console: every secret of a real home planted into every file of a support bundle, none of them in it, in no form", async () => {
  const { homes, genesisHash } = await createNetwork(
    { directory: join(place, "net"), chainName: "mill", validators: 1, timeMs: systemClock.nowMs(), settingsOf: () => ({}) },
    systemEntropy,
  );
  const [home = ""] = homes;
  const medium = join(place, "medium");
  mkdirSync(medium);
  const flags: Readonly<Record<string, string>> = { medium, system: join(place, "system") };
  const input: CommandInput = { flag: (name) => flags[name], flags: () => [], has: () => false, positionals: [] };
  const provisioner = openProvisioner(home, input, silentLog);
  await provisioner.look();
  const book = adminFile(home, provisioner);
  book.setPasswordHash(
    await Bun.password.hash("a password of the administrator", { algorithm: "argon2id", memoryCost: 1_024, timeCost: 1 }),
  );
  const aggregator = { url: "https://127.0.0.1:1", caPin: "ab".repeat(32) };
  const chain = { genesis: toHex(genesisHash), role: "observer" }; // a mistake, so that the file stays with its token
  writeFileSync(join(medium, "provision.json"), JSON.stringify({ schema: 1, hostname: "mill-7", aggregator, token: TOKEN, chain }));
  await provisioner.look();
  expect(provisioner.status.state).toBe("keyed");
  const pem = makeP256Key(systemEntropy);
  mkdirSync(join(home, "sync"), { recursive: true });
  writeFileSync(join(home, "sync/node.pem"), pem);
  const desk = new ConsoleDesk({ home, medium, system: join(place, "system"), provisioner, passwordHash: () => book.passwordHash() });

  // No main process runs here, and nobody but it resets a box; what is typed is judged first.
  expect(await desk.reset("settings", "yes")).toContain('Type the word "reset"');
  for (const tier of ["settings", "everything"] as const) expect(await desk.reset(tier, "reset")).toContain("main process does not run");
  expect(existsSync(join(home, "keys/validator.json"))).toBe(true);

  const keyTexts = readdirSync(join(home, "keys")).map((name) => readFileSync(join(home, "keys", name), "utf8"));
  const sealed = keyTexts.flatMap((text) =>
    [...text.matchAll(/"(?:salt|nonce|iv|tag|ciphertext|sealed|box)[A-Za-z]*"\s*:\s*"([^"]{16,})"/g)].map(([, value = ""]) => value),
  );
  const secrets = [
    readFileSync(join(home, "keys/passphrase"), "utf8").trim(),
    TOKEN,
    provisioner.adminCode ?? "no code",
    book.passwordHash() ?? "no hash",
    ...pem.split("\n").filter((line) => line !== "" && !line.startsWith("-----")),
    ...sealed,
  ];
  expect(sealed.length).toBeGreaterThanOrEqual(3); // the validator's, the identity's and the owner's key
  expect(secrets.every((secret) => secret.length >= 8)).toBe(true);
  const forms = secrets.flatMap((secret) => [
    secret,
    Buffer.from(secret).toString("hex"),
    Buffer.from(secret).toString("base64").replace(/=+$/, ""),
  ]);

  const files = await desk.supportFiles();
  const planted = Object.fromEntries(
    Object.entries(files).map(([name, text]) => [name, `${text}\n${keyTexts.join("\n")}\n${pem}\n${forms.join(" and ")}\n`]),
  );
  for (const bundle of [await packSupport(files, desk.secrets()), await packSupport(planted, desk.secrets())]) {
    const unpacked = [...(await new Bun.Archive(bundle).files())];
    expect(unpacked.map(([name]) => name).sort()).toEqual(Object.keys(files).sort());
    for (const [name, file] of unpacked) {
      const text = await file.text();
      expect([name, forms.filter((form) => text.includes(form))]).toEqual([name, []]);
    }
  }
  const whole = Object.values(files).join("\n");
  expect(whole).toContain(provisioner.status.keys?.identity ?? "none"); // what is public stays readable
  await provisioner.stop();
}, 60_000);
