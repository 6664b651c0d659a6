/** Words for figures, as all pages of the binary have them. */
export { momentText } from "../../../src/page/browser.ts";
