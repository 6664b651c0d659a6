import { resolve } from "node:path";
import { checkPayload } from "../../../appliance/ota/index.ts";
import { buildBundle, type ImageCheck, openKeys, verifyBundle } from "../../../image/index.ts";
import type { Command } from "../command.ts";
import { KEYS_FLAG, keysFolder, lineOf, mendable, trustedAuthority } from "./image.ts";

/** `bizra bundle build`: an update from a built image. */
export const bundleBuild: Command = {
  name: "bundle build",
  summary: "Makes a signed update bundle of an image that `bizra image build` left in a folder.",
  arguments: "DIR NAME",
  positionalsMin: 2,
  flags: KEYS_FLAG,
  async run(input, terminal) {
    const [folder = "", name = ""] = input.positionals;
    const path = await mendable(async () => await buildBundle({ folder: resolve(folder), name, keys: await openKeys(keysFolder(input)) }));
    terminal.result({ path, bytes: Bun.file(path).size }, () => `Bundle  ${path}`);
    return 0;
  },
};

/** `bizra bundle verify`: whether a box would take an update. */
export const bundleVerify: Command = {
  name: "bundle verify",
  summary: "Checks signature, form, kind of box and contents of an update bundle, as a box does before it touches a slot.",
  arguments: "BUNDLE",
  positionalsMin: 1,
  flags: {
    trust: { kind: "text", value: "FILE", doc: "Certificate of the authority to trust (default: that of --keys)." },
    compatible: { kind: "text", value: "KIND", doc: "The kind of box it must be for, e.g. bizra-amd64-generic (default: any)." },
    ...KEYS_FLAG,
  },
  async run(input, terminal) {
    const [path = ""] = input.positionals;
    const compatible = input.flag("compatible");
    const expected = { path, authority: trustedAuthority(input), ...(compatible === undefined ? {} : { compatible }) };
    const word = await mendable(() => verifyBundle(expected));
    const payload = word.isGood ? await checkPayload(path) : undefined;
    const checks = [...word.checks, ...(payload === undefined ? [] : [lineOfPayload(payload)])];
    const isGood = checks.every(({ isOk }) => isOk);
    const described = { version: word.version, compatible: word.compatible };
    terminal.result({ ok: isGood, checks, ...described }, () =>
      [...checks.map(lineOf), isGood ? `${path} is good.` : `${path} is NOT good.`].join("\n"),
    );
    return isGood ? 0 : 1;
  },
};

/** Every block of the payload against what was signed, as a box looks at it. */
function lineOfPayload(payload: Awaited<ReturnType<typeof checkPayload>>): ImageCheck {
  return { check: "payload", isOk: payload.ok, detail: payload.ok ? "every block as signed" : payload.error.detail };
}
