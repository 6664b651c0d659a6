import { make } from "../../../src/page/browser.ts";
import type { Api } from "./api.ts";
import { field, saying, section } from "./parts.ts";

/** The form to log in with: the code of status.txt, or the password. */
export function loginSection(api: Api, onLogin: () => void): HTMLElement {
  const [label, secret] = field("secret", "One-time code of status.txt, or password", {
    autocomplete: "current-password",
    required: true,
    maxlength: 256,
  });
  const outcome = saying("login-said");
  const button = make("button", { id: "log-in", type: "submit" }, "Log in");
  const form = make("form", {}, label, secret, button, outcome.element);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    button.disabled = true;
    void api.logIn(secret.value).then((answer) => {
      button.disabled = false;
      if (answer.ok) return onLogin();
      outcome.say(SENTENCES[answer.error.code] ?? answer.error.title, true);
      secret.select();
    });
  });
  return section(
    "login",
    "Administrator",
    make("p", { class: "small" }, "The code stands in status.txt, on the partition PROVISION of the box's card or disk; it lets in once."),
    form,
  );
}

const SENTENCES: Readonly<Record<string, string>> = {
  wrongSecret: "The code or the password is wrong.",
  slowDown: "Too many attempts. Wait a moment, then try again.",
};
