import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { verifyImage } from "../../image/verify.ts";
import { Machine } from "./image/machine.ts";
import { buildTrialImage, makeHome, prepare } from "./image/trial-image.ts";
import { Workplace } from "./support/workplace.ts";

const unavailable = process.arch === "x64" ? await prepare("amd64") : "images are started on x86-64 alone";
if (unavailable !== undefined) console.warn(`SKIPPED: no image is built and started here, ${unavailable}`);

/** A machine that is emulated beside other work takes minutes where a quiet one takes one. */
const START_LIMIT_MS = 900_000;
const TEST_LIMIT_MS = 1_500_000;

const place = new Workplace();
afterAll(() => place.end());

describe.skipIf(unavailable !== undefined)("image", () => {
  test(
    "image: built from packages and the binary, it verifies, starts, and its node is ready for others",
    async () => {
      const folder = place.at("image");
      mkdirSync(folder);
      const built = await buildTrialImage({ folder, architecture: "amd64", version: "1.0.0", home: await makeHome(folder) });
      const { checks } = await verifyImage({ path: built.image, authority: join(folder, "keys/ca.cert.pem") });
      expect(checks.filter(({ isOk }) => !isOk)).toEqual([]);

      const machine = place.keep(await Machine.start({ architecture: "amd64", ...built, slot: "A", folder }));
      const ready = await machine.answers("/readyz", START_LIMIT_MS, ({ ok }) => ok);
      expect(ready.status).toBe(200);
      machine.kill();
    },
    TEST_LIMIT_MS,
  );
});
