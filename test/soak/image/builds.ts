import { existsSync, mkdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Architecture } from "../../../image/layout/partitions.ts";
import { verifyImage } from "../../../image/verify.ts";
import { buildTrialImage } from "../../e2e/image/trial-image.ts";
import { BINARY } from "../../e2e/support/bizra.ts";
import type { ImageWorld } from "./image-world.ts";
import type { Scenario } from "./scenario.ts";

const ROOT = resolve(import.meta.dir, "../../..");

/** Both processors: an image from packages, once more from the same, and every byte of it verified. */
export const builds: Scenario = {
  name: "builds",
  summary: "images of both processors, built twice with equal root hashes, and verified",
  async run(world) {
    const faults: string[] = [];
    for (const architecture of ["amd64", "arm64"] as const) faults.push(...(await buildTwice(world, architecture)));
    return faults;
  },
};

async function buildTwice({ folder, table }: ImageWorld, architecture: Architecture): Promise<readonly string[]> {
  const program = architecture === "amd64" ? BINARY : await table.time("builds", "program for arm64", compileForArm);
  const [first, second] = ["first", "second"].map((name) => join(folder, `${architecture}-${name}`));
  const order = { architecture, program, version: "1.0.0", kernel: "generic", keys: join(folder, `keys-${architecture}`) } as const;
  const build = async (place = ""): ReturnType<typeof buildTrialImage> => {
    mkdirSync(place);
    return await buildTrialImage({ ...order, folder: place });
  };
  const built = await table.time("builds", `${architecture}, packages fetched`, () => build(first));
  const again = await table.time("builds", `${architecture}, again`, () => build(second));
  const mib = (path: string): string => `${(statSync(path).size / 1024 ** 2).toFixed(1)} MiB`;
  table.note("builds", `${architecture}, compressed image`, mib(`${built.image}.zst`));
  const { isGood, checks } = await table.time("builds", `${architecture}, verified`, () =>
    verifyImage({ path: built.image, authority: join(built.keys, "ca.cert.pem") }),
  );
  return [
    ...(built.manifest.verity.rootHash === again.manifest.verity.rootHash ? [] : [`${architecture}: the same input gave two root hashes`]),
    ...(isGood ? [] : checks.filter(({ isOk }) => !isOk).map(({ check, detail }) => `${architecture}: ${check}: ${detail}`)),
  ];
}

/** The program for arm64, built. */
export async function compileForArm(): Promise<string> {
  const program = join(ROOT, "dist/bizra-linux-arm64");
  const child = Bun.spawn({
    cmd: [process.execPath, ".ci/build.ts", "--target", "linux-arm64"],
    cwd: ROOT,
    stdout: "ignore",
    stderr: "inherit",
  });
  if ((await child.exited) !== 0 || !existsSync(program)) throw new Error("the program for arm64 could not be built");
  return program;
}
