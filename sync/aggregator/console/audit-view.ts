import type { AuditAnswer, FindingsAnswer } from "./api.ts";
import { fill, make } from "./dom.ts";
import { momentText } from "./format.ts";
import { nodeHref, type View, type ViewParts } from "./view.ts";

/** What was found about all nodes, and, for admins, who did what. */
export function auditView({ api, session, onAnswer }: ViewParts): View {
  const findings = make("tbody", { id: "all-findings" });
  const audit = make("tbody", { id: "audit" });
  const table = (titles: readonly string[], body: HTMLElement): HTMLElement =>
    make(
      "div",
      { class: "scroll", tabindex: 0, role: "region" },
      make(
        "table",
        {},
        make(
          "thead",
          {},
          make(
            "tr",
            {},
            titles.map((title) => make("th", { scope: "col" }, title)),
          ),
        ),
        body,
      ),
    );
  const cells = (...texts: readonly (string | HTMLElement)[]) =>
    make(
      "tr",
      {},
      texts.map((text) => make("td", {}, text)),
    );
  const isAdmin = session.role === "admin";
  return {
    element: make(
      "section",
      {},
      make("h1", {}, isAdmin ? "Findings and audit" : "Findings"),
      make("section", { class: "card" }, make("h2", {}, "Findings"), table(["When", "Node", "What", "Detail"], findings)),
      isAdmin
        ? make("section", { class: "card" }, make("h2", {}, "Audit"), table(["When", "Who", "Did", "To", "Outcome", "Detail"], audit))
        : undefined,
    ),
    title: "Findings",
    everyMs: 10_000,
    refresh: async () => {
      const found = await api.get<FindingsAnswer>("/findings", { limit: 200 });
      onAnswer(found.ok ? undefined : found.error);
      if (found.ok) {
        const rows = found.value.findings.map(({ at, kind, detail, ...ref }) =>
          cells(momentText(at), make("a", { href: nodeHref(ref) }, ref.node), kind, detail),
        );
        fill(findings, rows.length === 0 ? make("tr", {}, make("td", { colspan: 4 }, "Nothing was found.")) : rows);
      }
      const entries = isAdmin ? await api.get<AuditAnswer>("/audit", { limit: 200 }) : undefined;
      if (entries?.ok)
        fill(
          audit,
          entries.value.entries.map(({ at, actor, action, target, outcome, detail }) =>
            cells(momentText(at), actor, action, target, outcome, detail),
          ),
        );
    },
    tick: () => {},
  };
}
