import { fill, make, shortHex } from "../../../src/page/browser.ts";
import type { AuditAnswer, FindingsAnswer } from "./api.ts";
import { cellRow, emptyRow, momentCell, scrollTable } from "./table.ts";
import { nodeHref, type View, type ViewParts } from "./view.ts";

/** What was found about all nodes, and, for admins, who did what. */
export function auditView({ api, session, onAnswer }: ViewParts): View {
  const findings = make("tbody", { id: "all-findings" });
  const audit = make("tbody", { id: "audit" });
  const isAdmin = session.role === "admin";
  return {
    element: make(
      "section",
      {},
      make("h1", {}, isAdmin ? "Findings and audit" : "Findings"),
      make("section", { class: "card" }, make("h2", {}, "Findings"), scrollTable(["When", "Node", "What", "Detail"], findings)),
      isAdmin
        ? make("section", { class: "card" }, make("h2", {}, "Audit"), scrollTable(["When", "Who", "Did", "To", "Outcome", "Detail"], audit))
        : undefined,
    ),
    title: "Findings",
    everyMs: 10_000,
    refresh: async () => {
      const found = await api.get<FindingsAnswer>("/findings", { limit: 200 });
      onAnswer(found.ok ? undefined : found.error);
      if (found.ok) {
        const rows = found.value.findings.map(({ at, kind, detail, ...ref }) =>
          cellRow(momentCell(at), make("a", { href: nodeHref(ref) }, ref.node), kind, make("span", { class: "detail" }, detail)),
        );
        fill(findings, rows.length === 0 ? emptyRow(4, "Nothing was found.") : rows);
      }
      const entries = isAdmin ? await api.get<AuditAnswer>("/audit", { limit: 200 }) : undefined;
      if (entries?.ok)
        fill(
          audit,
          entries.value.entries.map(({ at, actor, action, target, outcome, detail }) =>
            cellRow(momentCell(at), actor, action, targetContent(target), outcome, make("span", { class: "detail" }, detail)),
          ),
        );
    },
    tick: () => {},
  };
}

/** What somebody did something to; whole hashes only for the pointer and for copying. */
function targetContent(target: string): HTMLElement {
  return make("span", { title: target }, target.replace(/[0-9a-f]{64}/g, shortHex));
}
