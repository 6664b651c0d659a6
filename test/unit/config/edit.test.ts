import { expect, test } from "bun:test";
import { parse } from "smol-toml";
import { changeNodeToml, renderNodeToml } from "../../../src/config/index.ts";

test("config edit: a commented, a set and a missing setting, changed in place and nothing else", () => {
  const text = renderNodeToml({ "sync.profile": "metered", "keys.passphraseFile": "keys/passphrase" });
  const changed = changeNodeToml(text, {
    "sync.profile": "emergency",
    "sync.caFile": "sync/authority.pem",
    "sync.aggregators": "https://a:1,https://b:2",
  });
  expect(parse(changed)).toEqual({
    ...parse(text),
    sync: { profile: "emergency", caFile: "sync/authority.pem", aggregators: "https://a:1,https://b:2" },
  });
  expect(changed.split("\n")).toHaveLength(text.split("\n").length);
  expect(parse(changeNodeToml("version = 1\n", { "sync.profile": "metered" }))).toEqual({ version: 1, sync: { profile: "metered" } });
  expect(changeNodeToml("[sync]\nprofile = 'metered'\n[log]\n", { "sync.keyFile": "k" })).toBe(
    "[sync]\nkeyFile = \"k\"\nprofile = 'metered'\n[log]\n",
  );
});
