/** A real browser for tests: Debian's Chromium without a window, driven by its DevTools protocol. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installPackages } from "./debian.ts";

/** Names under which distributions install it. */
const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"] as const;
const COMMAND_LIMIT_MS = 90_000;
const START_LIMIT_MS = 90_000;

/** Where a browser is, or why there is none. */
export type Found = { readonly path: string } | { readonly reason: string };

/** Finds a browser, and installs one where there is apt-get and the right to use it. */
export async function findChromium(): Promise<Found> {
  const path = NAMES.map((name) => Bun.which(name)).find((found) => found !== null);
  if (path) return { path };
  const fault = await installPackages(["chromium"]);
  const installed = Bun.which("chromium");
  return installed ? { path: installed } : { reason: `no Chromium here, and ${fault ?? "apt-get installed none"}` };
}

/** What a page told while it ran: messages of its console, errors nobody caught, breaches of its policy, and what it asked for. */
export type PageRecord = { readonly complaints: string[]; readonly requests: string[] };

type Reply = {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Message;
  readonly result?: Message;
  readonly error?: Message;
};
type Message = { readonly [name: string]: unknown };

/** A running browser with one page. */
export class Chromium {
  readonly record: PageRecord = { complaints: [], requests: [] };
  readonly #child: Bun.Subprocess<"ignore", "ignore", "pipe">;
  readonly #profile: string;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #socket: WebSocket | undefined;
  #session: string | undefined;
  #nextId = 1;

  private constructor(path: string) {
    this.#profile = mkdtempSync(join(tmpdir(), "bizra-chromium-"));
    const words = [
      "--headless=new",
      "--remote-debugging-port=0",
      `--user-data-dir=${this.#profile}`,
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []), // it refuses to be sandboxed as root
      "about:blank",
    ];
    this.#child = Bun.spawn([path, ...words], { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  }

  /** Starts it with an empty profile and one empty page, at a phone's width. */
  static async start(path: string, width: number, height: number): Promise<Chromium> {
    const browser = new Chromium(path);
    try {
      await browser.#connect();
      const { targetId } = await browser.#send("Target.createTarget", { url: "about:blank" });
      const { sessionId } = await browser.#send("Target.attachToTarget", { targetId, flatten: true });
      browser.#session = String(sessionId);
      for (const domain of ["Page", "Runtime", "Log", "Network", "DOM"]) await browser.#send(`${domain}.enable`);
      await browser.#send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 2, mobile: true });
      return browser;
    } catch (error) {
      await browser.kill();
      throw error;
    }
  }

  /** Believes any certificate, as a person does who has compared the one of an authority that no browser knows. */
  async trustAnyCertificate(): Promise<void> {
    await this.#send("Security.setIgnoreCertificateErrors", { ignore: true });
  }

  /** Goes to an address, also when only what stands behind # is another. */
  async open(url: string): Promise<void> {
    await this.#send("Page.navigate", { url: "about:blank" });
    await this.#send("Page.navigate", { url });
  }

  /** The value of an expression in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return (result as Message)["value"];
  }

  /** The text of an element as it is seen; empty when it is absent or hidden. */
  async textOf(id: string): Promise<string> {
    return String(await this.evaluate(`(e => e?.checkVisibility() ? e.innerText : "")(document.getElementById(${JSON.stringify(id)}))`));
  }

  /** Resolves with an element's text when it holds; throws with the page's text when that does not come. */
  async until(id: string, holds: (text: string) => boolean, limitMs = 90_000): Promise<string> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const text = await this.textOf(id);
      if (holds(text)) return text;
      if (performance.now() > deadline) {
        const seen = String(await this.evaluate("document.body?.innerText ?? ''"));
        throw new Error(`#${id} is "${text}" after ${limitMs} ms; the page:\n${seen}\n${this.record.complaints.join("\n")}`);
      }
      await Bun.sleep(50);
    }
  }

  /** Clicks an element as a finger would: in its middle, after scrolling there, and not before it can be clicked. */
  async click(id: string): Promise<void> {
    await this.#untilEnabled(id);
    const found = await this.evaluate(
      `(() => { const e = document.getElementById(${JSON.stringify(id)}); e.scrollIntoView({ block: "center" }); ` +
        "const { x, y, width, height } = e.getBoundingClientRect(); return [x + width / 2, y + height / 2]; })()",
    );
    const [x, y] = found as [number, number];
    for (const type of ["mousePressed", "mouseReleased"])
      await this.#send("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
  }

  /** Puts a file into a file input, once that takes one. */
  async putFile(id: string, path: string): Promise<void> {
    await this.#untilEnabled(id);
    const { root } = await this.#send("DOM.getDocument");
    const { nodeId } = await this.#send("DOM.querySelector", { nodeId: (root as Message)["nodeId"], selector: `#${id}` });
    await this.#send("DOM.setFileInputFiles", { nodeId, files: [path] });
  }

  /** Writes a picture of the whole page. */
  async screenshot(path: string): Promise<void> {
    const { data } = await this.#send("Page.captureScreenshot", { format: "png", captureBeyondViewport: true });
    writeFileSync(path, Buffer.from(String(data), "base64"));
  }

  /** Ends it at once and removes its profile. */
  async kill(): Promise<void> {
    this.#socket?.close();
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }

  async #untilEnabled(id: string, limitMs = 90_000): Promise<void> {
    const deadline = performance.now() + limitMs;
    while ((await this.evaluate(`document.getElementById(${JSON.stringify(id)})?.disabled`)) !== false) {
      if (performance.now() > deadline) throw new Error(`#${id} cannot be used after ${limitMs} ms`);
      await Bun.sleep(20);
    }
  }

  async #connect(): Promise<void> {
    const socket = new WebSocket(await this.#address());
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => this.#onMessage(JSON.parse(String(data)) as Reply));
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", () => reject(new Error("the browser takes no connection")));
    });
  }

  /** The address that it prints when it is ready. What it prints later is read and dropped. */
  async #address(): Promise<string> {
    const late = setTimeout(() => this.#child.kill("SIGKILL"), START_LIMIT_MS);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const read = async (): Promise<void> => {
      let said = "";
      for await (const chunk of this.#child.stderr) {
        if (said.length < 100_000) said += new TextDecoder().decode(chunk);
        const address = /DevTools listening on (ws:\S+)/.exec(said)?.[1];
        if (address !== undefined) resolve(address);
      }
      reject(new Error(`the browser ended: ${said.slice(-2_000)}`));
    };
    void read();
    return promise.finally(() => clearTimeout(late));
  }

  #send(method: string, params: Message = {}): Promise<Message> {
    const id = this.#nextId++;
    const sessionId = this.#session === undefined ? {} : { sessionId: this.#session };
    this.#socket?.send(JSON.stringify({ id, method, params, ...sessionId }));
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`the browser does not answer ${method}`)), COMMAND_LIMIT_MS);
      this.#waiting.set(id, ({ result, error }) => {
        clearTimeout(late);
        this.#waiting.delete(id);
        if (error) reject(new Error(`${method}: ${String(error["message"])}`));
        else resolve(result ?? {});
      });
    });
  }

  #onMessage(reply: Reply): void {
    if (reply.id !== undefined) this.#waiting.get(reply.id)?.(reply);
    const { method, params = {} } = reply;
    if (method === "Runtime.exceptionThrown" || method === "Log.entryAdded" || method === "Runtime.consoleAPICalled")
      this.record.complaints.push(JSON.stringify(params));
    if (method === "Network.requestWillBeSent") this.record.requests.push(String((params["request"] as Message)["url"]));
  }
}
