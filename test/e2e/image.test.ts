import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { COMMIT_WORDS } from "../../image/boot/counters-backend.ts";
import { Machine } from "./image/machine.ts";
import { overlayDisk } from "./image/machine-disk.ts";
import { buildTrialImage, makeHome, PackagesUnavailable, prepare, type TrialImage } from "./image/trial-image.ts";
import { bizraJson } from "./support/bizra.ts";
import { Workplace } from "./support/workplace.ts";

/** A machine that is emulated beside other work takes minutes where a quiet one takes one; only what never comes meets this. */
const START_LIMIT_MS = 1_200_000;
const TEST_LIMIT_MS = 1_800_000;

const place = new Workplace();
afterAll(() => place.end());

const folder = place.at("image");
mkdirSync(folder);
const built = await build();
if (typeof built === "string") console.warn(`SKIPPED: no image of a box is built and started here, ${built}`);

/** An image from packages; a sentence where they cannot be had. */
async function build(): Promise<TrialImage | string> {
  if (process.arch !== "x64") return "images are started on x86-64 alone";
  const lacking = await prepare("amd64");
  if (lacking !== undefined) return lacking;
  try {
    return await buildTrialImage({ folder, architecture: "amd64", version: "1.0.0", home: await makeHome(folder) });
  } catch (error) {
    if (error instanceof PackagesUnavailable) return error.message;
    throw error;
  }
}

describe.skipIf(typeof built === "string")("image", () => {
  test(
    "image: built from packages and the binary, it verifies, starts through its boot loader, its node is ready and its slot committed",
    async () => {
      if (typeof built === "string") return;
      const verdict = await bizraJson("image", "verify", built.image, "--keys", built.keys);
      expect(verdict).toMatchObject({ ok: true, manifest: { variant: "development" } });
      expect(verdict["manifest"]).not.toHaveProperty("hasDebugShell");

      const disks = [await overlayDisk(built.image, join(folder, "disk.qcow2"))];
      const start = { by: "firmware", vars: join(folder, "vars.fd") } as const;
      const machine = place.keep(await Machine.start({ architecture: "amd64", start, disks, folder }));
      const beganMs = performance.now();
      const ready = await machine.answers("/readyz", START_LIMIT_MS);
      expect(ready.status).toBe(200);
      const readyMs = performance.now() - beganMs;
      await machine.says(`${COMMIT_WORDS} A is good`, START_LIMIT_MS);
      console.log(
        `image: a ready node ${Math.round(readyMs)} ms after power-on, a committed slot ${Math.round(performance.now() - beganMs)} ms`,
      );
      expect(machine.resets).toEqual([]);
      await machine.cut();
    },
    TEST_LIMIT_MS,
  );
});
