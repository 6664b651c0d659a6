import type { Clock } from "../../../src/kernel/index.ts";
import type { EnrolmentDesk } from "../enrolment/desk.ts";
import { shownClaim, shownRequest } from "../enrolment/shown.ts";
import type { Principal } from "./access.ts";
import { defineFleetEndpoint, type FleetEndpoint } from "./endpoint.ts";
import * as schema from "./enrolment-schemas.ts";
import { FleetProblem } from "./problem.ts";
import { timeText } from "./rows.ts";
import { nodeParams } from "./schemas.ts";

/** Claims and requests in one answer. */
const LISTED_MAX = 500;

/**
 * What admins decide about enrolment, through the same desk as the commands on the aggregator's machine. The desk writes the
 * audit of what was done; what does not get as far is audited by the mount.
 */
export function enrolmentEndpoints(desk: EnrolmentDesk, clock: Clock): readonly FleetEndpoint[] {
  const now = (): string | undefined => timeText(clock.nowMs());
  const actorOf = ({ name }: Principal): string => name;
  return [
    defineFleetEndpoint({
      method: "get",
      path: "/claims",
      name: "listClaims",
      summary: "Leave to enrol that was given, the newest first, without the tokens.",
      role: "admin",
      answer: schema.claimsAnswer,
      problems: ["forbidden"],
      respond: async () => ({ now: now(), claims: (await desk.listClaims(LISTED_MAX)).map(shownClaim) }),
    }),
    defineFleetEndpoint({
      method: "post",
      path: "/claims",
      name: "makeClaim",
      summary: "Makes a token with which one node asks for a certificate, once. It is told in this answer and kept nowhere.",
      role: "admin",
      body: schema.claimBody,
      answer: schema.claimAnswer,
      problems: ["forbidden", "crossSite"],
      audit: { action: "claim.made", target: () => "", isByHandler: true },
      respond: async ({ principal, body: { node, lifeSeconds, ...plan } }) => {
        const whom = { ...plan, ...(node === undefined ? {} : { node }), lifeMs: lifeSeconds * 1_000 };
        const { claim, token } = await desk.makeClaim(whom, actorOf(principal));
        return { ...shownClaim(claim), token };
      },
    }),
    defineFleetEndpoint({
      method: "put",
      path: "/claims/{claim}",
      name: "revokeClaim",
      summary: "Ends a token that nobody has used.",
      role: "admin",
      params: schema.claimParams,
      body: schema.revokedBody,
      answer: schema.statusAnswer,
      problems: ["notFound", "forbidden", "crossSite"],
      audit: { action: "claim.revoked", target: (params) => String(params?.claim), isByHandler: true },
      respond: async ({ principal, params, body }) => {
        if (await desk.revokeClaim(params.claim, actorOf(principal))) return body;
        throw new FleetProblem("notFound", "expected a claim that is open");
      },
    }),
    defineFleetEndpoint({
      method: "get",
      path: "/requests",
      name: "listRequests",
      summary: "Nodes that asked for a certificate, the newest first.",
      role: "admin",
      answer: schema.requestsAnswer,
      problems: ["forbidden"],
      respond: async () => ({ now: now(), requests: (await desk.listRequests(undefined, LISTED_MAX)).map(shownRequest) }),
    }),
    defineFleetEndpoint({
      method: "put",
      path: "/requests/{request}",
      name: "decideRequest",
      summary: "Approves or refuses a request that waits. The node fetches its certificate when it asks again.",
      role: "admin",
      params: schema.requestParams,
      body: schema.decisionBody,
      answer: schema.statusAnswer,
      problems: ["notFound", "forbidden", "crossSite"],
      audit: { action: "enrolment.decided", target: (params) => String(params?.request), isByHandler: true },
      respond: async ({ principal, params, body }) => {
        if ((await desk.decide(params.request, body.status, actorOf(principal))).length > 0) return body;
        throw new FleetProblem("notFound", "expected a request that waits");
      },
    }),
    defineFleetEndpoint({
      method: "put",
      path: "/nodes/{network}/{node}/enrolment",
      name: "revokeNode",
      summary: "Turns a node away with its certificates, here at once and at other aggregators over the same store within seconds.",
      role: "admin",
      params: nodeParams,
      body: schema.revokedBody,
      answer: schema.statusAnswer,
      problems: ["notFound", "forbidden", "crossSite"],
      audit: { action: "node.revoked", target: (params) => `${params?.network}/${params?.node}`, isByHandler: true },
      respond: async ({ principal, params, body }) => {
        if ((await desk.revokeNode(params.node, params.network, actorOf(principal))).length > 0) return body;
        throw new FleetProblem("notFound", "expected a node that is enrolled");
      },
    }),
  ];
}
