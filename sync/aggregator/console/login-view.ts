import { make } from "../../../src/page/browser.ts";
import type { Api, SessionAnswer } from "./api.ts";

/** The form to log in with. */
export function loginView(api: Api, onLogin: (session: SessionAnswer) => void): HTMLElement {
  const user = make("input", { id: "user", name: "user", autocomplete: "username", autocapitalize: "none", required: true, maxlength: 64 });
  const password = make("input", {
    id: "password",
    name: "password",
    type: "password",
    autocomplete: "current-password",
    required: true,
    maxlength: 256,
  });
  const problem = make("p", { id: "login-problem", class: "problem", role: "alert", hidden: true });
  const button = make("button", { id: "log-in", type: "submit" }, "Log in");
  const form = make(
    "form",
    { class: "login card", "aria-labelledby": "login-title" },
    make("h1", { id: "login-title" }, "BIZRA fleet"),
    make("label", { for: "user" }, "User"),
    user,
    make("label", { for: "password" }, "Password"),
    password,
    button,
    problem,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });
  const submit = async (): Promise<void> => {
    button.disabled = true;
    const answer = await api.logIn(user.value, password.value);
    button.disabled = false;
    if (answer.ok) return onLogin(answer.value);
    problem.hidden = false;
    problem.textContent = SENTENCES[answer.error.code] ?? answer.error.detail;
    password.select();
  };
  return form;
}

const SENTENCES: Readonly<Record<string, string>> = {
  wrongCredentials: "The name or the password is wrong.",
  slowDown: "Too many attempts from here. Wait a moment, then try again.",
  busy: "Many people are logging in. Try again in a moment.",
};
