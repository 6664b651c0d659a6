import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { anchorBody, keyOfSeed, signBody } from "../../../src/device/index.ts";
import { parseHex, present, toHex } from "../../../src/kernel/index.ts";
import { decodeTransaction, transactionAad, transactionSignBytes } from "../../../src/protocol/index.ts";

const DOCS = join(import.meta.dir, "../../../docs");
const document = readFileSync(join(DOCS, "devices.md"), "utf8");

/** The hex of a fenced block, its remarks left out: on each line what stands before text. */
function bytesOf(opening: string, payload = ""): string {
  const start = document.indexOf(`${opening}\n\n\`\`\`\n`);
  expect(start).toBeGreaterThan(0);
  const block = document.slice(start + opening.length + 6, document.indexOf("\n```\n", start + opening.length + 6));
  const words = block.split("\n").map(
    (line) =>
      line
        .replace(/\(the payload, \d+ bytes\)/, payload)
        .trim()
        .split(/ {2,}| (?=")/)[0] ?? "",
  );
  return words
    .map((line) =>
      line
        .split(" ")
        .filter((word) => /^([0-9a-f]{2})+$/.test(word))
        .join(""),
    )
    .join("");
}

/** What the table says of a part. */
const partOf = (name: string): string => new RegExp(`\\| ${name} +\\| \`([^\`]+)\``).exec(document)?.[1] ?? "";

test("device docs: the worked example, byte for byte", () => {
  const key = keyOfSeed(present(parseHex(partOf("private key \\(seed\\)")), "the documented seed is hex"));
  const genesisHash = present(parseHex(partOf("genesis hash")), "the documented hash is hex");
  expect(partOf("public key")).toBe(toHex(key.publicKey));
  expect(partOf("address")).toBe(key.address);
  const terms = { nonce: 0n, fee: 1_000n, validUntil: 12_000n };
  const { id, encoded } = signBody(key, genesisHash, terms, anchorBody("barn/temperature", "21.5"));
  const aad = transactionAad(genesisHash);
  const decoded = decodeTransaction(aad, encoded);
  const payload = present(decoded.ok ? decoded.value.payload : undefined, "what was signed decodes");
  expect(bytesOf("The payload, a map with integer keys:")).toBe(toHex(payload));
  const signed = 'What is signed, the Sig_structure of RFC 9052 with external_aad = "bizra/tx/1" | genesis hash:';
  expect(bytesOf(signed, toHex(payload))).toBe(toHex(transactionSignBytes(aad, payload)));
  expect(bytesOf(`What is sent, ${encoded.length} bytes:`)).toBe(toHex(encoded));
  expect(document).toContain(`\n\`${toHex(id)}\`.\n`);
});

test("device docs: what is shown of the examples stands in them", () => {
  for (const [language, file] of [
    ["c", "anchor.c"],
    ["python", "anchor.py"],
  ] as const) {
    const block = document.split(`\`\`\`${language}\n`)[1]?.split("```\n")[0] ?? "";
    expect(block.length).toBeGreaterThan(300);
    expect(readFileSync(join(DOCS, "examples/devices", file), "utf8")).toContain(block);
  }
});
