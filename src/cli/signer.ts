import { formatFault, loadPassphrase } from "../config/index.ts";
import { localSigner, parsePkcs8Pem, type Signer } from "../crypto/index.ts";
import { type KeyPurpose, parseKeyFile, unlockKeyFile } from "../identity/index.ts";
import { CommandFailure, type CommandInput, type FlagSpec } from "./command.ts";
import { readText } from "./files.ts";
import type { Terminal } from "./terminal.ts";

/** The flag that names where a passphrase is kept. */
export const PASSPHRASE_FLAG: Readonly<Record<string, FlagSpec>> = {
  "passphrase-file": { kind: "text", value: "FILE", doc: "File holding the passphrase; else BIZRA_PASSPHRASE, else it is asked for." },
};

/** The same command line, with the passphrase taken from another flag's file where that is given. */
export function withPassphraseOf(input: CommandInput, flag: string): CommandInput {
  return { ...input, flag: (name) => (name === "passphrase-file" ? (input.flag(flag) ?? input.flag(name)) : input.flag(name)) };
}

/** The passphrase from BIZRA_PASSPHRASE, the flag's file, or the person. */
export async function obtainPassphrase(input: CommandInput, terminal: Terminal, prompt: string): Promise<string> {
  const loaded = loadPassphrase(".", input.flag("passphrase-file") ?? "");
  if (!loaded.ok) throw new CommandFailure(formatFault(loaded.error));
  const passphrase = loaded.value ?? (await terminal.askSecret(prompt));
  if (!passphrase) {
    throw new CommandFailure("expected a passphrase, got none; set BIZRA_PASSPHRASE, give --passphrase-file FILE, or run it on a terminal");
  }
  return passphrase;
}

/** A new passphrase, asked for twice when a person types it. */
export async function obtainNewPassphrase(input: CommandInput, terminal: Terminal): Promise<string> {
  const loaded = loadPassphrase(".", input.flag("passphrase-file") ?? "");
  if (!loaded.ok) throw new CommandFailure(formatFault(loaded.error));
  if (loaded.value) return loaded.value;
  const first = await obtainPassphrase(input, terminal, "New passphrase: ");
  const second = await terminal.askSecret("The same again: ");
  if (first !== second) throw new CommandFailure("expected the same passphrase twice, got two different ones; nothing was written");
  return first;
}

/** A signer from a sealed key file of this purpose, or from an unencrypted PKCS#8 PEM (demo accounts). */
export async function openSigner(path: string, purpose: KeyPurpose, input: CommandInput, terminal: Terminal): Promise<Signer> {
  const text = readText(path);
  if (text.includes("BEGIN PRIVATE KEY")) {
    const seed = parsePkcs8Pem(text);
    if (!seed.ok) throw new CommandFailure(`expected an Ed25519 key in PKCS#8 PEM at ${path}, got another key or a damaged file`);
    return localSigner(seed.value);
  }
  const file = parseKeyFile(text);
  if (!file.ok) throw new CommandFailure(`${path}: ${file.error.detail}`);
  if (file.value.purpose !== purpose)
    throw new CommandFailure(`expected a key for ${purpose} at ${path}, got one for ${file.value.purpose}`);
  const signer = await unlockKeyFile(file.value, await obtainPassphrase(input, terminal, `Passphrase of ${path}: `));
  if (!signer.ok) throw new CommandFailure(`${path}: ${signer.error.detail}`);
  return signer.value;
}
