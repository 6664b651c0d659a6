import { z } from "zod";
import type { Finding } from "./finding.ts";

const MANIFEST = z.object({
  packageManager: z.string(),
  engines: z.object({ bun: z.string() }),
  dependencies: z.record(z.string(), z.string()),
  devDependencies: z.record(z.string(), z.string()),
  overrides: z.record(z.string(), z.string()).default({}),
  trustedDependencies: z.array(z.string()).optional(),
});
const TOOLCHAIN = z.object({ dependencies: z.object({ bun: z.string() }) });
const TOOLCHAIN_LOCK = z.object({
  packages: z.record(z.string(), z.object({ version: z.string().optional(), integrity: z.string().optional() })),
});

/** The texts that say which versions the project is built with. */
export type PinTexts = { readonly manifest: string; readonly toolchain: string; readonly toolchainLock: string };

/** Every version is exact, Bun's is the same wherever it stands, its binaries come with a hash, and no package may run an install script. */
export function checkPins({ manifest, toolchain, toolchainLock }: PinTexts): Finding[] {
  const { packageManager, engines, dependencies, devDependencies, overrides, trustedDependencies } = MANIFEST.parse(JSON.parse(manifest));
  const { bun } = TOOLCHAIN.parse(JSON.parse(toolchain)).dependencies;
  const { packages } = TOOLCHAIN_LOCK.parse(JSON.parse(toolchainLock));
  const messages: string[] = [];
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...overrides })) {
    if (!/^(npm:[\w@/.-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) messages.push(`${name} "${version}" is not an exact version`);
  }
  if (packageManager !== `bun@${bun}`) messages.push(`packageManager "${packageManager}" is not bun@${bun} of .ci/toolchain/package.json`);
  if (engines.bun !== bun) messages.push(`engines.bun "${engines.bun}" is not ${bun} of .ci/toolchain/package.json`);
  const types = devDependencies["bun-types"];
  if (types !== bun) messages.push(`bun-types "${types}" are not of Bun ${bun}`);
  if (trustedDependencies?.length !== 0) messages.push("trustedDependencies is not []; no package runs an install script");
  for (const [place, { version, integrity }] of Object.entries(packages)) {
    if (place === "") continue;
    if (version !== bun) messages.push(`.ci/toolchain/package-lock.json has ${place} ${version}, not ${bun}`);
    if (integrity === undefined) messages.push(`.ci/toolchain/package-lock.json has no hash of ${place}`);
  }
  return messages.map((message) => ({ path: "package.json", line: 0, message }));
}
