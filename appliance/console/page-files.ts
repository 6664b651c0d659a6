/**
 * The files of the box's page by path, each compressed by gzip and written in base64. The build puts them in the place of
 * this module; a box that runs from source has none.
 *
 * @see .ci/page.ts
 */
export const boxPageFiles: Readonly<Record<string, string>> | undefined = undefined;
