/**
 * The files of the console by path, each compressed by gzip and written in base64. The build puts them in the place of
 * this module; an aggregator that runs from source has none.
 *
 * @see .ci/page.ts
 */
export const consoleFiles: Readonly<Record<string, string>> | undefined = undefined;
