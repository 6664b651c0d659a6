/**
 * Images of boxes: built twice with equal root hashes, verified, provisioned, and started in a virtual machine until the node
 * is ready and the slot is committed. `--arm64 1` does the same for the other processor, whose program is
 * dist/bizra-linux-arm64 (`bun run build -- --target linux-arm64`).
 */
import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Architecture } from "../../image/layout/partitions.ts";
import { verifyImage } from "../../image/verify.ts";
import { Machine } from "../e2e/image/machine.ts";
import { overlayDisk } from "../e2e/image/machine-disk.ts";
import { buildTrialImage, makeHome, prepare } from "../e2e/image/trial-image.ts";
import { BINARY } from "../e2e/support/bizra.ts";
import type { Workplace } from "../e2e/support/workplace.ts";
import type { Soak } from "./soak.ts";

/** A machine that is emulated on two busy cores takes minutes. */
const START_LIMIT_MS = 1_500_000;

const ARM64_PROGRAM = resolve(import.meta.dir, "../../dist/bizra-linux-arm64");

/** `npm run soak -- image`. */
export const imageSoak: Soak = {
  name: "image",
  summary: "[--arm64 1]  images are built twice, verified and started in a virtual machine until their slot is committed",
  options: { arm64: { type: "string" } },
  async run(place, { arm64 = 0 }) {
    const architectures: readonly Architecture[] = arm64 === 1 ? ["amd64", "arm64"] : ["amd64"];
    const faults: string[] = [];
    for (const architecture of architectures) faults.push(...(await tryArchitecture(place, architecture)));
    return faults;
  },
};

async function tryArchitecture(place: Workplace, architecture: Architecture): Promise<readonly string[]> {
  const program = architecture === "amd64" ? BINARY : ARM64_PROGRAM;
  if (!existsSync(program)) return [`${program} is missing: bun run build -- --target linux-arm64`];
  const unavailable = await prepare(architecture);
  if (unavailable !== undefined) return [`${architecture} was not tried: ${unavailable}`];
  const folder = place.at(`image-${architecture}`);
  mkdirSync(folder);
  const startedMs = performance.now();
  const tell = (what: string): void =>
    console.log(`${architecture} ${((performance.now() - startedMs) / 1_000).toFixed(0).padStart(5)} s  ${what}`);
  const order = { folder, architecture, program, home: await makeHome(folder) };
  const built = await buildTrialImage({ ...order, version: "1.0.0" });
  tell(`built, root hash ${built.manifest.verity.rootHash}`);
  const faults: string[] = [];

  const other = join(folder, "again");
  mkdirSync(other);
  const again = await buildTrialImage({ ...order, folder: other, keys: join(folder, "keys"), version: "1.0.0" });
  if (again.manifest.verity.rootHash !== built.manifest.verity.rootHash)
    faults.push(`${architecture}: the same input gave two root hashes`);
  tell("built again");

  const { isGood, checks } = await verifyImage({ path: built.image, authority: join(folder, "keys/ca.cert.pem") });
  if (!isGood) faults.push(`${architecture}: ${checks.filter(({ isOk }) => !isOk).map(({ check, detail }) => `${check}: ${detail}`)}`);
  tell("verified");

  const disks = [await overlayDisk(built.image, join(folder, "disk.qcow2"))];
  const start = { by: "kernel", ...built.boot, slot: "A", manifest: built.manifest } as const;
  const machine = place.keep(await Machine.start({ architecture, start, disks, folder }));
  await machine.answers("/readyz", START_LIMIT_MS, ({ ok }) => ok);
  tell("the node is ready");
  await machine.says("bizra-gate: slot A is good", START_LIMIT_MS);
  tell("the slot is committed");
  machine.kill();
  return faults;
}
