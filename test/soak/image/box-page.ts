import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Machine } from "../../e2e/image/machine.ts";
import { Chromium, findChromium } from "../../e2e/support/chromium.ts";
import type { Workplace } from "../../e2e/support/workplace.ts";

const PHONE = { width: 390, height: 844 } as const;
/** Where pictures of the page go. */
const PICTURES = process.env["CONSOLE_PICTURES"] ?? resolve(import.meta.dir, "../../../dist/pictures");

/** A box's page in a real browser of a phone's width, from outside of its machine; in one where there is a browser. */
export class BoxPage {
  readonly #machine: Machine;
  readonly #place: Workplace;
  #open: Chromium | undefined;
  #isUnavailable = false;

  constructor(machine: Machine, place: Workplace) {
    this.#machine = machine;
    this.#place = place;
  }

  /** Does something in the browser; where there is none, says so once and does nothing. */
  async browser<T>(action: (open: Chromium) => Promise<T>): Promise<T | undefined> {
    if (this.#isUnavailable) return undefined;
    if (this.#open === undefined) {
      const found = await findChromium();
      if ("reason" in found) {
        this.#isUnavailable = true;
        console.warn(`the box's page is not looked at: ${found.reason}`);
        return undefined;
      }
      this.#open = this.#place.keep(await Chromium.start(found.path, PHONE.width, PHONE.height));
    }
    return await action(this.#open);
  }

  /** Logs in with the code of status.txt. */
  async logIn(status: string): Promise<void> {
    const [, code = ""] = /one-time code: ([0-9A-Z-]{14})/.exec(status) ?? [];
    await this.browser(async (open) => {
      await open.open(this.#machine.url("page"));
      await open.until("log-in", (text) => text !== "");
      await type(open, "secret", code);
      await open.click("log-in");
      await open.until("findings", (text) => text !== "");
    });
    if (this.#isUnavailable) throw new Error("a trial of the page needs a browser");
  }

  /** Gives the box a plan by its page. */
  async propose(text: string): Promise<void> {
    await this.browser(async (open) => {
      await type(open, "plan-text", text);
      await open.click("plan-send");
      await open.until("plan-said", (said) => said.includes("It was taken"));
    });
  }

  /** Asks for a factory reset; gives what the page says of it. */
  async reset(tier: "settings" | "everything", word: string): Promise<string> {
    const said = await this.browser(async (open) => {
      await open.evaluate('document.getElementById("reset").open = true');
      await type(open, "reset-tier", tier);
      await type(open, "reset-confirm", word);
      await open.click("reset-send");
      // Done, it may be logged out before anybody has read the word.
      return await Promise.race([
        open.until("reset-said", (text) => text !== "" && !text.includes("being done"), 300_000),
        open.until("log-in", (text) => text !== "", 300_000),
      ]);
    });
    return said ?? "";
  }

  /** What the page's own interface answers to whoever is logged in, as text. */
  async ask(path: string): Promise<string> {
    return String((await this.browser((open) => open.evaluate(`fetch(${JSON.stringify(path)}).then((answer) => answer.text())`))) ?? "");
  }

  /** Takes a picture of the whole page. */
  async picture(name: string): Promise<void> {
    await this.browser(async (open) => {
      mkdirSync(PICTURES, { recursive: true });
      await open.screenshot(join(PICTURES, `${name}.png`));
    });
  }
}

/** Puts a text into an input as typing does. */
async function type(open: Chromium, id: string, text: string): Promise<void> {
  await open.evaluate(
    `(() => { const e = document.getElementById(${JSON.stringify(id)}); e.value = ${JSON.stringify(text)}; e.dispatchEvent(new Event("change")); })()`,
  );
}
