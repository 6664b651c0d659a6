/** Something a check of the repository objects to. */
export type Finding = {
  /** The file, relative to the project. */
  readonly path: string;
  /** 1-based; 0 when the objection is to the file as a whole. */
  readonly line: number;
  /** What is wrong and what is wanted instead, without the place. */
  readonly message: string;
};

/** One line per finding, in a form that terminals and editors make clickable. */
export function describeFindings(findings: readonly Finding[]): string[] {
  return findings.map(({ path, line, message }) => `${path}${line > 0 ? `:${line}` : ""}: ${message}`);
}
