/**
 * The page of a box, as it runs in a browser beside it: what anybody may see, and after a login the rest. It talks to the box
 * that served it and to nobody else, and puts nothing into the document but text.
 */
import type { CancelTimer } from "../../../src/kernel/index.ts";
import { browserTimers, byId, fill, make } from "../../../src/page/browser.ts";
import type { BoxView } from "../ports.ts";
import { Api, type GlanceAnswer } from "./api.ts";
import { networkSection, passwordForm, planSection } from "./change-forms.ts";
import { loginSection } from "./login-form.ts";
import { factList, faultText, qrDrawing, saying, section } from "./parts.ts";
import { resetForm } from "./reset-form.ts";

const LOOK_EVERY_MS = 3_000;

const api = new Api();
const main = byId("main", HTMLElement);
const banner = byId("banner", HTMLElement);
const claimPlace = make("section", { "aria-labelledby": "claim-title", id: "claim" });
/** Parts that show what is; they are drawn anew at each look, forms are not. */
const live = { wrong: make("section", {}), doing: make("section", {}), update: make("section", {}), addresses: make("div", {}) };

let isLoggedIn = false;
let state = "";
let shownClaim = "";
let cancelLook: CancelTimer = () => {};

api.onLoggedOut = () => showLogin();
void start();

async function start(): Promise<void> {
  const glance = await api.glance();
  if (glance.ok) showGlance(glance.value);
  if (await api.session()) await onLogin();
  else showLogin();
  await look();
}

function showLogin(): void {
  isLoggedIn = false;
  fill(
    main,
    loginSection(api, () => void onLogin()),
    claimPlace,
  );
}

async function onLogin(): Promise<void> {
  const view = await api.view();
  if (!view.ok) return showBanner(faultText(view.error));
  isLoggedIn = true;
  showView(view.value);
  const logs = make("pre", { id: "logs", hidden: true, tabindex: 0 });
  const network = section(
    "network",
    "Network",
    live.addresses,
    view.value.canChangeNetwork ? networkSection(api, view.value, lookSoon) : undefined,
  );
  const claimIsDone = state === "ready"; // then it is there for whoever looks for it
  const parts = [planSection(api, lookSoon), network, live.update];
  fill(main, live.wrong, live.doing, ...(claimIsDone ? [...parts, claimPlace] : [claimPlace, ...parts]), careSection(logs));
}

/** Logs, support and what ends or restarts something. */
function careSection(logs: HTMLElement): HTMLElement {
  const outcome = saying("care-said");
  const showLogs = async (): Promise<void> => {
    const answer = await api.logs();
    logs.hidden = false;
    logs.textContent = answer.ok ? answer.value.lines.join("\n") || "The node has printed nothing yet." : faultText(answer.error);
    logs.scrollTop = logs.scrollHeight;
  };
  const restart = async (): Promise<void> => {
    const answer = await api.change("restart", {});
    outcome.say(answer.ok ? "The node is being restarted." : faultText(answer.error), !answer.ok);
  };
  const logOut = async (): Promise<void> => {
    await api.change("log-out", {});
    showLogin();
  };
  const button = (id: string, label: string, action: () => Promise<void>): HTMLElement =>
    make("button", { id, type: "button", class: "quiet", onclick: () => void action() }, label);
  const care = section(
    "care",
    "Logs and care",
    make(
      "div",
      { class: "row" },
      button("show-logs", "Show logs", showLogs),
      make("a", { id: "support", class: "button", href: "/api/support", download: "bizra-support.tar.gz" }, "Support bundle"),
      button("restart", "Restart node", restart),
      button("log-out", "Log out", logOut),
    ),
    outcome.element,
    logs,
    passwordForm(api),
    resetForm(api, lookSoon),
  );
  care.classList.add("wide");
  return care;
}

function showView({ findings, sentences, node, hardware, update, addresses, version }: BoxView): void {
  const worst = findings.filter(({ severity }) => severity !== "notice");
  const lines = findings.map(({ severity, detail }) => make("li", { class: severity }, make("b", {}, LABELS[severity]), detail));
  const well = make("li", { class: "good" }, "Nothing is wrong.");
  fill(
    live.wrong,
    make("h2", {}, "What is wrong"),
    make("ul", { class: "findings", id: "findings" }, worst.length === 0 ? [well, ...lines] : lines),
  );
  const now = sentences.map((sentence) => make("p", {}, sentence));
  fill(live.doing, make("h2", {}, "What it is doing"), make("div", { id: "doing" }, now), factList([...node, ...hardware]));
  fill(live.update, make("h2", {}, "Release"), make("div", { id: "update" }, factList([...update, ["Program", version]])));
  fill(live.addresses, factList(addresses));
}

const LABELS = { error: "Error", warning: "Warning", notice: "Note" } as const;

function showGlance({ name, state: now, isWell, claim }: GlanceAnswer): void {
  state = now;
  byId("name", HTMLElement).textContent = name ?? "BIZRA box";
  document.title = name ?? "BIZRA box";
  const place = byId("state", HTMLElement);
  place.textContent = isWell ? state : `${state}, something is wrong`;
  place.className = `state ${isWell ? "good" : "bad"}`;
  if (shownClaim === (claim?.text ?? "none")) return;
  shownClaim = claim?.text ?? "none";
  fill(
    claimPlace,
    make("h2", { id: "claim-title" }, "Claim code"),
    ...(claim
      ? [
          qrDrawing(claim.rows, "Claim code of this box"),
          make("p", { class: "small", id: "claim-text" }, claim.text),
          factList([
            ["Node", claim.node],
            ["Fingerprint", claim.fingerprint],
          ]),
        ]
      : [make("p", { class: "small" }, "The box is making its keys.")]),
  );
}

function lookSoon(): void {
  cancelLook();
  cancelLook = browserTimers.after(500, () => void look());
}

/** Asks again and again; the next question waits for the answer to the one before. */
async function look(): Promise<void> {
  cancelLook();
  const glance = await api.glance();
  if (glance.ok) showGlance(glance.value);
  const view = isLoggedIn ? await api.view() : undefined;
  if (view?.ok && isLoggedIn) showView(view.value);
  showBanner(glance.ok ? undefined : `${glance.error.title} What is shown is as it was.`);
  cancelLook();
  cancelLook = browserTimers.after(document.hidden ? 10 * LOOK_EVERY_MS : LOOK_EVERY_MS, () => void look());
}

function showBanner(sentence: string | undefined): void {
  banner.hidden = sentence === undefined;
  banner.textContent = sentence ?? "";
}
