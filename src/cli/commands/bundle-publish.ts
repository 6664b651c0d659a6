import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { CHANNELS, checkPayload } from "../../../appliance/ota/index.ts";
import { verifyBundle } from "../../../image/index.ts";
import { releasePrefix } from "../../../sync/protocol/index.ts";
import { sha256 } from "../../crypto/index.ts";
import { toHex, utf8 } from "../../kernel/index.ts";
import { checkObjectName, WrongObjectName } from "../../storage/index.ts";
import { type Command, CommandFailure, UsageError } from "../command.ts";
import { BACKUP_FLAGS, objectsFailure, openGivenObjects } from "./backup.ts";
import { KEYS_FLAG, mendable, trustedAuthority } from "./image.ts";

/** `bizra bundle publish`: a release for boxes that look for one. */
export const bundlePublish: Command = {
  name: "bundle publish",
  summary: "Puts a checked bundle into a channel: below releases/ of an aggregator's objects, or of a web server's folder.",
  arguments: "BUNDLE",
  positionalsMin: 1,
  flags: {
    objects: { kind: "text", value: "WHERE", doc: "A folder or s3://bucket/prefix?endpoint=URL, as `bizra aggregator --objects` has it." },
    ...(BACKUP_FLAGS["credentials-file"] && { "credentials-file": BACKUP_FLAGS["credentials-file"] }),
    channel: { kind: "text", value: "NAME", doc: "stable (default) or beta." },
    trust: { kind: "text", value: "FILE", doc: "Certificate of the authority to trust (default: that of --keys)." },
    ...KEYS_FLAG,
  },
  async run(input, terminal) {
    const [path = ""] = input.positionals;
    const channel = input.flag("channel") ?? "stable";
    if (channel === "none" || !CHANNELS.some((name) => name === channel))
      throw new UsageError(`expected --channel stable or beta, got ${JSON.stringify(channel)}`);
    const objects = openGivenObjects(input);
    if (objects.kind === "aggregator")
      throw new UsageError("expected --objects as the folder or bucket that the aggregator keeps, not its address");
    const { isGood, version, compatible } = await mendable(() => verifyBundle({ path, authority: trustedAuthority(input) }));
    if (!isGood || version === undefined || compatible === undefined || !(await checkPayload(path)).ok)
      throw new CommandFailure(`${path} is no bundle that a box would take; \`bizra bundle verify\` says why`);
    const bytes = new Uint8Array(readFileSync(path));
    const offer = { version, compatible, file: basename(path), sha256: toHex(sha256(bytes)) };
    try {
      const prefix = releasePrefix(channel);
      // The offer comes last: what it names is there.
      await objects.put(checkObjectName(prefix + offer.file), bytes);
      await objects.put(checkObjectName(`${prefix}${compatible}.json`), utf8(`${JSON.stringify(offer)}\n`));
    } catch (error) {
      if (error instanceof WrongObjectName) throw new CommandFailure(`${error.message}; rename the bundle`);
      throw objectsFailure(error);
    } finally {
      await objects.close();
    }
    terminal.result({ channel, ...offer }, () => `${version} for ${compatible} is in channel ${channel}.`);
    return 0;
  },
};
