/** Objects on a real S3 server. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemEntropy } from "../../../src/node/ports.ts";
import { type ObjectStore, openObjects } from "../../../src/storage/index.ts";
import { describeObjectStore } from "../../contract/object-store.ts";
import { S3_CREDENTIALS, S3Server } from "./s3.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-s3-"));
let server: S3Server | undefined;

function open(prefix: string, credentials = S3_CREDENTIALS): ObjectStore {
  const objects = openObjects(server?.url(prefix) ?? "", { base: ".", entropy: systemEntropy, credentials });
  if (!objects.ok) throw new Error(objects.error.detail);
  return objects.value;
}

describeObjectStore({
  name: "S3",
  open: async () => {
    server = await S3Server.start(folder);
    return open("below/here");
  },
  remove: async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  },
});

test("object store: S3 that does not answer, or another key, fails with a code and tells no secret", async () => {
  const trial = mkdtempSync(join(tmpdir(), "bizra-s3-"));
  server = await S3Server.start(trial);
  const stranger = open("x", "STRANGER:a-secret-of-mine");
  const refused = await stranger.put("a", new Uint8Array(1)).catch((error: unknown) => error);
  await server.stop();
  const gone = await open("x")
    .get("a")
    .catch((error: unknown) => error);
  for (const fault of [refused, gone]) {
    expect(fault).toBeInstanceOf(Error);
    expect(fault).toHaveProperty("code");
    expect(String(fault)).not.toContain("secret");
  }
  rmSync(trial, { recursive: true, force: true });
}, 240_000);
