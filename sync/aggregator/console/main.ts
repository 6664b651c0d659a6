/**
 * The fleet's console in a browser: logs in, then shows nodes, one node, networks, or findings and audit, by what stands
 * behind # in the address. It talks to the aggregator that served it and to nobody else, and puts nothing into the
 * document but text. Whatever it shows has an age that goes on when answers stop.
 */

import type { CancelTimer } from "../../../src/kernel/index.ts";
import { browserClock, browserTimers, byId, durationText, fill, make } from "../../../src/page/browser.ts";
import { Api, type ApiFault, type SessionAnswer } from "./api.ts";
import { auditView } from "./audit-view.ts";
import { enrolmentView } from "./enrolment-view.ts";
import { loginView } from "./login-view.ts";
import { networkView } from "./network-view.ts";
import { nodeView } from "./node-view.ts";
import { nodesView } from "./nodes-view.ts";
import { ServerClock } from "./server-clock.ts";
import type { View, ViewParts } from "./view.ts";

const time = new ServerClock(browserClock);
const api = new Api(browserClock, time);
const main = byId("main", HTMLElement);
const banner = byId("banner", HTMLElement);
const navigation = byId("navigation", HTMLElement);
const account = byId("account", HTMLElement);

let session: SessionAnswer | undefined;
let view: View | undefined;
let fault: ApiFault | undefined;
let cancelRefresh: CancelTimer = () => {};

api.onLoggedOut = () => showLogin();
addEventListener("hashchange", () => showRoute());
void start();

async function start(): Promise<void> {
  tick();
  const known = await api.session();
  if (known.ok) onLogin(known.value);
  else showLogin();
}

function onLogin(known: SessionAnswer): void {
  session = known;
  navigation.hidden = false;
  byId("to-enrolment", HTMLElement).hidden = known.role !== "admin";
  fill(
    account,
    `${known.user} (${known.role}) `,
    make("button", { type: "button", id: "log-out", class: "quiet-button", onclick: () => void logOut() }, "Log out"),
  );
  showRoute();
}

async function logOut(): Promise<void> {
  await api.logOut();
  showLogin();
}

function showLogin(): void {
  cancelRefresh();
  session = undefined;
  view = undefined;
  fault = undefined;
  navigation.hidden = true;
  fill(account);
  document.title = "BIZRA fleet";
  fill(main, loginView(api, onLogin));
}

function showRoute(): void {
  if (!session) return;
  cancelRefresh();
  const parts: ViewParts = { api, time, session, onAnswer };
  view = viewOf(parts, location.hash.split("/").slice(1));
  document.title = `${view.title} \u2013 BIZRA fleet`;
  for (const link of navigation.querySelectorAll("a")) {
    if ((location.hash || "#/nodes").startsWith(link.hash)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  fill(main, view.element);
  scrollTo(0, 0);
  void refresh(view);
}

function viewOf(parts: ViewParts, [page, network, node]: readonly string[]): View {
  if (page === "node" && network && node) return nodeView(parts, network, node);
  if (page === "networks") return networkView(parts);
  if (page === "findings") return auditView(parts);
  if (page === "enrolment" && parts.session.role === "admin") return enrolmentView(parts);
  return nodesView(parts);
}

/** Asks again and again, as long as the view is shown; the next question waits for the answer to the one before. */
async function refresh(shown: View): Promise<void> {
  await shown.refresh();
  if (view !== shown) return;
  cancelRefresh = browserTimers.after(document.hidden ? 10 * shown.everyMs : shown.everyMs, () => void refresh(shown));
}

function onAnswer(answer: ApiFault | undefined): void {
  fault = answer?.code === "notFound" ? undefined : answer;
}

function tick(): void {
  const nowMs = time.nowMs();
  if (nowMs !== undefined) view?.tick(nowMs);
  const silence = time.silenceMs();
  banner.hidden = fault === undefined;
  if (fault) banner.textContent = `${fault.detail} What is shown is ${durationText(silence ?? 0)} old, and ages go on.`;
  browserTimers.after(1_000, tick);
}
