import { packedAnswer } from "../../page/index.ts";
import type { Call } from "../call.ts";
import { pageFiles } from "../page-files.ts";
import { problemResponse } from "../problem.ts";

/** Media types of the page's files by path. */
const MEDIA_TYPES = {
  "/try": "text/html; charset=utf-8",
  "/try/page.css": "text/css; charset=utf-8",
  "/try/page.js": "text/javascript; charset=utf-8",
} as const;

/** A path of the page for visitors. */
export type PagePath = keyof typeof MEDIA_TYPES;

/** Where the page for visitors is served: itself, its styles and its script. */
export const PAGE_PATHS: readonly PagePath[] = ["/try", "/try/page.css", "/try/page.js"];

/** A file of the page, compressed when the browser takes it so. A node that runs from source has no page and says so. */
export function pageAnswer(path: PagePath, { request }: Call): Response {
  const packed = pageFiles?.[path];
  if (packed === undefined) {
    return problemResponse({ code: "notFound", detail: "the page is part of the compiled binary, and this node runs without it" }, path);
  }
  return packedAnswer({ mediaType: MEDIA_TYPES[path], packed }, request.headers.get("accept-encoding"));
}
