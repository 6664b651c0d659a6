import { createInterface } from "node:readline";
import { Writable } from "node:stream";

/** Where a command prints and asks. Results go to standard output, everything else to standard error. */
export interface Terminal {
  /** Whether `--json` was given: results are single JSON lines. */
  readonly isJson: boolean;
  /** Whether a person sees standard error, so progress may be redrawn. */
  readonly isInteractive: boolean;
  /** Prints a result line. */
  print(line: string): void;
  /** Prints a remark for people; nothing under `--json` depends on it. */
  note(line: string): void;
  /** Prints a result: as one JSON line under `--json`, else as the text. */
  result(value: unknown, text: () => string): void;
  /** Asks for a secret without showing it; undefined when nobody can be asked. */
  askSecret(prompt: string): Promise<string | undefined>;
}

/** The process's own terminal. */
export function systemTerminal(isJson: boolean): Terminal {
  const isInteractive = process.stderr.isTTY === true;
  return {
    isJson,
    isInteractive,
    print: (line) => void process.stdout.write(`${line}\n`),
    note: (line) => void process.stderr.write(`${line}\n`),
    result: (value, text) => void process.stdout.write(`${isJson ? JSON.stringify(value) : text()}\n`),
    askSecret: (prompt) => (isInteractive && process.stdin.isTTY === true ? askHidden(prompt) : Promise.resolve(undefined)),
  };
}

/** Reads a line with echo off: the line editor writes into nothing. */
function askHidden(prompt: string): Promise<string> {
  process.stderr.write(prompt);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  return new Promise((resolve) => {
    lines.question("", (answer) => {
      lines.close();
      process.stderr.write("\n");
      resolve(answer);
    });
  });
}
