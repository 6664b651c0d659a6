import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { AdminBook } from "../../../appliance/console/index.ts";
import { linuxFiles, type Provisioner } from "../../../appliance/provisioning/index.ts";
import { CONSOLE_FILE } from "./provisioned-node.ts";

const schema = z.strictObject({ version: z.literal(1), passwordHash: z.string().startsWith("$argon2id$").max(512) });

/** How a box's administrator gets in: the code that provisioning keeps, or a password whose hash is a file of the home. */
export function adminFile(home: string, provisioner: Provisioner): AdminBook {
  const path = join(home, CONSOLE_FILE);
  return {
    code: () => provisioner.adminCode,
    useCode: () => provisioner.useCode(),
    passwordHash() {
      if (!existsSync(path)) return undefined;
      const parsed = schema.safeParse(parse(readFileSync(path, "utf8")));
      return parsed.data?.passwordHash; // a damaged file lets nobody in; new-code.txt does
    },
    setPasswordHash: (passwordHash) => linuxFiles.replace(path, `${JSON.stringify({ version: 1, passwordHash })}\n`, 0o600),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
