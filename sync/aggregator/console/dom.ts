/** Elements, as all pages of the binary make them. */
export { type Content, fill, make } from "../../../src/page/browser.ts";
