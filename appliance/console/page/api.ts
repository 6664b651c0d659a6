import { err, ok, type Result } from "../../../src/kernel/index.ts";
import type { BoxGlance, BoxView } from "../ports.ts";

/** What anybody may see, with the code as rows of 0 and 1. */
export type GlanceAnswer = Omit<BoxGlance, "claim"> & {
  readonly claim: (NonNullable<BoxGlance["claim"]> & { readonly text: string; readonly rows: readonly string[] }) | null;
};

/** Why there is no answer. `unreachable`: nobody answered; else the problem's code, with its mistakes. */
export type ApiFault = { readonly code: string; readonly title: string; readonly mistakes?: readonly string[] };

/** The box that the page came from. Its answers are taken for what its types say. */
export class Api {
  #csrf = "";
  /** Called when a request finds that nobody is logged in any more. */
  onLoggedOut: () => void = () => {};

  glance(): Promise<Result<GlanceAnswer, ApiFault>> {
    return this.#ask("GET", "/api/glance");
  }

  /** Whether somebody is logged in already. */
  async session(): Promise<boolean> {
    return this.#keep(await this.#ask<{ csrf: string }>("GET", "/api/session", undefined, false)).ok;
  }

  async logIn(secret: string): Promise<Result<object, ApiFault>> {
    return this.#keep(await this.#ask<{ csrf: string }>("POST", "/api/session", { secret }, false));
  }

  view(): Promise<Result<BoxView, ApiFault>> {
    return this.#ask("GET", "/api/view");
  }

  logs(): Promise<Result<{ readonly lines: readonly string[] }, ApiFault>> {
    return this.#ask("GET", "/api/logs");
  }

  /** Changes something; the paths are those of the console's changes. */
  change(path: "plan" | "network" | "restart" | "reset" | "password" | "log-out", body: object): Promise<Result<object, ApiFault>> {
    return this.#ask("POST", `/api/${path}`, body);
  }

  #keep<T extends { csrf: string }>(answer: Result<T, ApiFault>): Result<T, ApiFault> {
    if (answer.ok) this.#csrf = answer.value.csrf;
    return answer;
  }

  async #ask<T>(method: "GET" | "POST", path: string, body?: object, needsLogin = true): Promise<Result<T, ApiFault>> {
    const headers = method === "GET" ? {} : { "content-type": "application/json", "x-csrf-token": this.#csrf };
    try {
      const response = await fetch(path, { method, headers, cache: "no-store", ...(body && { body: JSON.stringify(body) }) });
      const value: unknown = await response.json();
      if (response.ok) return ok(value as T);
      if (response.status === 401 && needsLogin) this.onLoggedOut();
      return err(value as ApiFault);
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error; // no connection, or no JSON
      return err({ code: "unreachable", title: "The box does not answer." });
    }
  }
}
