import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { Authority, type EnrolmentSetup } from "../../sync/aggregator/index.ts";
import { SCRYPT_COST_DEFAULT } from "../crypto/index.ts";
import { systemClock, systemEntropy } from "../node/index.ts";
import { AUTHORITY_KEY } from "./aggregator-home.ts";
import { CommandFailure, type CommandInput } from "./command.ts";
import { parseDuration } from "./duration.ts";
import { readText } from "./files.ts";
import { writeNew } from "./home.ts";
import { obtainNewPassphrase, obtainPassphrase } from "./signer.ts";
import type { Terminal } from "./terminal.ts";

const DAY_MS = 86_400_000;

/** The aggregator's own authority, made at the first start with TLS, and what else enrolment is told on the command line. */
export async function openEnrolment(home: string, listenHost: string, input: CommandInput, terminal: Terminal): Promise<EnrolmentSetup> {
  const named = input.flags("hostname");
  const isWildcard = listenHost === "0.0.0.0" || listenHost === "::";
  const hosts = [
    ...new Set([
      ...named,
      ...(named.length === 0 ? [hostname()] : []),
      ...(isWildcard ? [] : [listenHost]),
      "localhost",
      "127.0.0.1",
      "::1",
    ]),
  ];
  const life = input.flag("certificate-life") ?? "90d";
  return {
    authority: await openAuthority(join(home, AUTHORITY_KEY), input, terminal),
    hosts,
    lifeMs: parseDuration(life, "--certificate-life", 10_000, 825 * DAY_MS),
  };
}

async function openAuthority(path: string, input: CommandInput, terminal: Terminal): Promise<Authority> {
  if (!existsSync(path)) {
    const passphrase = await obtainNewPassphrase(input, terminal);
    const { authority, text } = await Authority.make(passphrase, SCRYPT_COST_DEFAULT, systemClock.nowMs(), systemEntropy);
    writeNew(path, text);
    return authority;
  }
  const opened = await Authority.open(readText(path), await obtainPassphrase(input, terminal, `Passphrase of ${path}: `), systemEntropy);
  if (!opened.ok) throw new CommandFailure(`${path}: ${opened.error.detail}`);
  return opened.value;
}
