declare const BIZRA_VERSION: string | undefined;
declare const BIZRA_COMMIT: string | undefined;

/** What this program is: put in by the build; from source it is a development version. */
export const VERSION = {
  version: typeof BIZRA_VERSION === "string" ? BIZRA_VERSION : "0.0.0-source",
  commit: typeof BIZRA_COMMIT === "string" ? BIZRA_COMMIT : "unknown",
  runtime: `bun ${Bun.version}`,
  platform: `${process.platform}-${process.arch}`,
} as const;
