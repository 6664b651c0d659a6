import { fill, make, momentText } from "../../../src/page/browser.ts";
import type { ApiFault, ClaimAnswer, ClaimsAnswer, NetworksAnswer, RequestsAnswer } from "./api.ts";
import { cellRow, emptyRow, momentCell, scrollTable } from "./table.ts";
import type { View, ViewParts } from "./view.ts";

const LIVES = [
  { seconds: 3_600, title: "1 hour" },
  { seconds: 86_400, title: "1 day" },
  { seconds: 604_800, title: "7 days" },
] as const;

/** For admins: nodes that ask to be enrolled, and leave to ask. What is decided here is audited like the same by command. */
export function enrolmentView({ api, onAnswer }: ViewParts): View {
  const requests = make("tbody", { id: "requests" });
  const claims = make("tbody", { id: "claims" });
  const problem = make("p", { id: "enrolment-problem", class: "problem", role: "alert", hidden: true });
  const token = make("p", { id: "claim-token", class: "card good", role: "status", hidden: true });
  const networks = make("datalist", { id: "known-networks" });
  const network = make("input", {
    id: "claim-network",
    list: "known-networks",
    required: true,
    pattern: "[0-9a-f]{64}",
    placeholder: "genesis hash, 64 hex digits",
    spellcheck: "false",
  });
  const node = make("input", {
    id: "claim-node",
    pattern: "[A-Za-z0-9_\\-]{1,64}",
    placeholder: "whichever comes first",
    spellcheck: "false",
  });
  const site = make("input", { id: "claim-site", maxlength: 64 });
  const isManual = make("input", { id: "claim-manual", type: "checkbox", checked: true });
  const life = make(
    "select",
    { id: "claim-life" },
    LIVES.map(({ seconds, title }) => make("option", { value: seconds, selected: seconds === 86_400 }, title)),
  );

  const tell = (fault: ApiFault | undefined): void => {
    problem.hidden = fault === undefined;
    problem.textContent = fault?.detail ?? "";
  };
  /** A button that asks once more before it does something. */
  const decide = (title: string, path: string, status: string): HTMLButtonElement => {
    const button = make("button", { type: "button", class: "quiet-button", "data-decision": status }, title);
    let isSure = false;
    button.addEventListener("click", () => {
      if (!isSure) {
        isSure = true;
        button.textContent = `${title}: sure?`;
        return;
      }
      button.disabled = true;
      void api.put<object>(path, { status }).then((answer) => {
        tell(answer.ok ? undefined : answer.error);
        return refresh();
      });
    });
    return button;
  };
  const field = (title: string, input: HTMLElement): HTMLElement => make("label", { class: "field" }, title, input);
  const form = make(
    "form",
    { class: "claim-form", id: "claim-form" },
    field("Network", network),
    field("Node", node),
    field("Site", site),
    field("Good for", life),
    make("label", { class: "check" }, isManual, "Somebody approves the request first"),
    make("button", { type: "submit", id: "make-claim" }, "Make a claim"),
    networks,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void makeClaim();
  });
  const makeClaim = async (): Promise<void> => {
    const whom = { network: network.value.trim(), ...(node.value.trim() !== "" && { node: node.value.trim() }), site: site.value.trim() };
    const answer = await api.post<ClaimAnswer>("/claims", {
      ...whom,
      approval: isManual.checked ? "manual" : "auto",
      lifeSeconds: Number(life.value),
    });
    tell(answer.ok ? undefined : answer.error);
    if (!answer.ok) return;
    token.hidden = false;
    const command = `bizra enroll --home DIR --aggregator ${location.origin} --token ${answer.value.token} --ca-pin PIN`;
    fill(token, "The token is shown once. On the box: ", make("code", { class: "whole" }, command));
    await refresh();
  };

  async function refresh(): Promise<void> {
    const asked = await api.get<RequestsAnswer>("/requests");
    onAnswer(asked.ok ? undefined : asked.error);
    if (asked.ok && !isDeciding(requests)) fill(requests, requestRows(asked.value.requests));
    const made = await api.get<ClaimsAnswer>("/claims");
    if (made.ok && !isDeciding(claims)) fill(claims, claimRows(made.value));
    if (networks.childElementCount > 0) return;
    const known = await api.get<NetworksAnswer>("/networks");
    if (!known.ok) return;
    const hashes = known.value.networks.map(({ network: hash }) => hash);
    fill(
      networks,
      hashes.map((hash) => make("option", { value: hash })),
    );
    if (hashes.length === 1 && network.value === "") network.value = hashes[0] ?? "";
  }
  const requestRows = (rows: RequestsAnswer["requests"]) =>
    rows.length === 0
      ? emptyRow(7, "No node has asked.")
      : rows.map(({ id, node: name, identityKey, site: where, address, requestedAt, status, decidedBy }) =>
          cellRow(
            momentCell(requestedAt),
            name,
            make("code", { class: "whole" }, identityKey),
            address,
            where,
            decidedBy === "" ? status : `${status} by ${decidedBy}`,
            status === "pending"
              ? make(
                  "div",
                  { class: "decisions" },
                  decide("Approve", `/requests/${id}`, "approved"),
                  decide("Refuse", `/requests/${id}`, "refused"),
                )
              : undefined,
          ),
        );
  const claimRows = ({ now, claims: rows }: ClaimsAnswer) =>
    rows.length === 0
      ? emptyRow(7, "There are no claims.")
      : rows.map(({ id, node: name, site: where, approval, madeBy, expiresAt, status }) => {
          const isOver = status === "open" && expiresAt <= now;
          return cellRow(
            make("code", {}, id),
            name ?? "any",
            where,
            approval,
            madeBy,
            isOver ? "expired" : status === "open" ? `open until ${momentText(expiresAt)}` : status,
            status === "open" && !isOver ? decide("Revoke", `/claims/${id}`, "revoked") : undefined,
          );
        });

  return {
    element: make(
      "section",
      {},
      make("h1", {}, "Enrolment"),
      problem,
      make(
        "section",
        { class: "card" },
        make("h2", {}, "Requests"),
        make("p", { class: "quiet" }, "Compare the key with the one that the box names itself before you approve."),
        scrollTable(["When", "Node", "Identity key", "From", "Site", "Status", ""], requests),
      ),
      make(
        "section",
        { class: "card" },
        make("h2", {}, "Claims"),
        make("p", { class: "quiet" }, "Leave for one node to ask for a certificate, once."),
        form,
        token,
        scrollTable(["Claim", "Node", "Site", "Approval", "Made by", "Status", ""], claims),
      ),
    ),
    title: "Enrolment",
    everyMs: 5_000,
    refresh,
    tick: () => {},
  };
}

/** Whether somebody is about to confirm something there: the rows then stay as they are. */
function isDeciding(body: HTMLElement): boolean {
  return [...body.querySelectorAll("button")].some((button) => !button.disabled && button.textContent?.endsWith("sure?"));
}
