import { make } from "../../../src/page/browser.ts";
import type { BoxView } from "../ports.ts";
import type { Api } from "./api.ts";
import { faultText, field, saying, section } from "./parts.ts";

/** Takes a provision.json, from a file or typed. */
export function planSection(api: Api, onChanged: () => void): HTMLElement {
  const text = make("textarea", { id: "plan-text", rows: 8, "aria-label": "Text of provision.json", spellcheck: "false" });
  const file = make("input", { id: "plan-file", type: "file", accept: ".json,application/json" });
  const outcome = saying("plan-said");
  file.addEventListener("change", () => {
    void file.files?.[0]?.text().then((found) => {
      text.value = found;
    });
  });
  const send = async (): Promise<void> => {
    const answer = await api.change("plan", { text: text.value });
    outcome.say(answer.ok ? "It was taken and is being carried out." : faultText(answer.error), !answer.ok);
    if (answer.ok) text.value = "";
    if (answer.ok) onChanged();
  };
  return section(
    "plan",
    "Set up",
    make("p", { class: "small" }, "Give the box a provision.json: from a file, or typed. With any mistake nothing is changed."),
    make("label", { for: "plan-file" }, "File"),
    file,
    text,
    make("div", { class: "row" }, make("button", { id: "plan-send", type: "button", onclick: () => void send() }, "Check and take it")),
    outcome.element,
  );
}

/** Changes the network of the plan in force. */
export function networkSection(api: Api, { network }: BoxView, onChanged: () => void): HTMLElement {
  const method = make(
    "select",
    { id: "network-method" },
    make("option", { value: "dhcp", selected: network?.method !== "static" }, "From the network (DHCP)"),
    make("option", { value: "static", selected: network?.method === "static" }, "Fixed"),
  );
  const [addressLabel, address] = field("network-address", "Address with prefix", {
    placeholder: "192.168.1.20/24",
    value: network?.address ?? "",
  });
  const [gatewayLabel, gateway] = field("network-gateway", "Router", { placeholder: "192.168.1.1", value: network?.gateway ?? "" });
  const [dnsLabel, dns] = field("network-dns", "Name servers, with blanks between", { value: (network?.dns ?? []).join(" ") });
  const fixed = make("div", { hidden: network?.method !== "static" }, addressLabel, address, gatewayLabel, gateway);
  method.addEventListener("change", () => {
    fixed.hidden = method.value !== "static";
  });
  const outcome = saying("network-said");
  const send = async (): Promise<void> => {
    const isFixed = method.value === "static";
    const servers = dns.value.split(/[\s,]+/).filter((word) => word !== "");
    const answer = await api.change("network", {
      method: isFixed ? "static" : "dhcp",
      ...(network?.interface === undefined ? {} : { interface: network.interface }),
      ...(isFixed && address.value !== "" && { address: address.value.trim() }),
      ...(isFixed && gateway.value !== "" && { gateway: gateway.value.trim() }),
      ...(servers.length > 0 && { dns: servers }),
    });
    outcome.say(answer.ok ? "It was taken. The box may have another address in a moment." : faultText(answer.error), !answer.ok);
    if (answer.ok) onChanged();
  };
  const form = make(
    "form",
    { id: "network-form" },
    make("label", { for: "network-method" }, "Address"),
    method,
    fixed,
    dnsLabel,
    dns,
    make("button", { id: "network-send", type: "submit" }, "Change"),
    outcome.element,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send();
  });
  return form;
}

/** Sets the administrator's password. */
export function passwordForm(api: Api): HTMLElement {
  const [label, password] = field("new-password", "Password for the next time (10 characters or more)", {
    type: "password",
    autocomplete: "new-password",
    minlength: 10,
    maxlength: 256,
    required: true,
  });
  const outcome = saying("password-said");
  const user = make("input", { type: "text", autocomplete: "username", value: "admin", hidden: true }); // for password stores
  const form = make(
    "form",
    {},
    user,
    label,
    password,
    make("button", { id: "password-send", type: "submit" }, "Set password"),
    outcome.element,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void api.change("password", { password: password.value }).then((answer) => {
      outcome.say(answer.ok ? "The password is set; other logins have ended." : faultText(answer.error), !answer.ok);
      if (answer.ok) password.value = "";
    });
  });
  return form;
}
