/**
 * The files of the page for visitors by path, each compressed by gzip and written in base64. The build puts them in the
 * place of this module; a node that runs from source has none.
 *
 * @see .ci/page.ts
 */
export const pageFiles: Readonly<Record<string, string>> | undefined = undefined;
