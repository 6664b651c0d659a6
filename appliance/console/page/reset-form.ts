import { make } from "../../../src/page/browser.ts";
import type { Api } from "./api.ts";
import { faultText, field, saying } from "./parts.ts";

/** A factory reset, behind a fold and a word to type: nobody does it by a slip of the thumb. */
export function resetForm(api: Api, onChanged: () => void): HTMLElement {
  const tier = make(
    "select",
    { id: "reset-tier" },
    make("option", { value: "settings", selected: true }, "Forget settings; the validator goes on"),
    make("option", { value: "everything" }, "Forget everything, keys and chain, too"),
  );
  const [label, confirm] = field("reset-confirm", 'Type "reset"; to lose keys, what the refusal names', { required: true, maxlength: 64 });
  const outcome = saying("reset-said");
  const send = async (): Promise<void> => {
    outcome.say("It is being done; this takes up to a minute.", false);
    const answer = await api.change("reset", { tier: tier.value, confirm: confirm.value });
    outcome.say(answer.ok ? "It is done. Log in with the new code of status.txt." : faultText(answer.error), !answer.ok);
    confirm.value = "";
    if (answer.ok) onChanged();
  };
  const form = make(
    "form",
    { id: "reset-form" },
    make("label", { for: "reset-tier" }, "What"),
    tier,
    label,
    confirm,
    make("button", { id: "reset-send", type: "submit" }, "Reset this box"),
    outcome.element,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send();
  });
  return make("details", { id: "reset" }, make("summary", {}, "Factory reset"), form);
}
