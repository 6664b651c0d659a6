import { describeFindings, type Finding } from "./finding.ts";
import { parseModule, type SourceModule } from "./source-module.ts";

/** Parses samples given as path and text. */
export function sampleModules(texts: Readonly<Record<string, string>>): SourceModule[] {
  return Object.entries(texts).map(([path, text]) => parseModule(path, text));
}

/** The places a check objects to, as "path:line". */
export function places(findings: readonly Finding[]): string[] {
  return describeFindings(findings.map((finding) => ({ ...finding, message: "" }))).map((text) => text.replace(/: $/, ""));
}
