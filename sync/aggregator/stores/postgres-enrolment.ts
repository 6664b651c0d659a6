import type { EnrolmentRequest, EnrolmentStore, IssuedCertificate } from "../enrolment/types.ts";
import type { EnrolledNode, NodeRef } from "../types.ts";
import type { PostgresConnections, PostgresQuery } from "./postgres-connection.ts";
import {
  certificateValues,
  END_CLAIM,
  FINISH_REQUEST,
  INSERT_CERTIFICATE,
  INSERT_REQUEST,
  REVOKE_NODE,
  requestValues,
  SqlEnrolment,
} from "./sql-enrolment.ts";

/** Claims, requests and certificates in PostgreSQL. What must not happen twice is decided by the rows that are locked for it. */
export class PostgresEnrolment extends SqlEnrolment implements EnrolmentStore {
  readonly #connections: PostgresConnections;

  constructor(connections: PostgresConnections) {
    super(connections);
    this.#connections = connections;
  }

  async openRequest(request: EnrolmentRequest): Promise<"stored" | "used"> {
    return this.#connections.atomically(async (query) => {
      if ((await query(END_CLAIM, [request.claimId, "used"])).length !== 1) return "used";
      await query(INSERT_REQUEST, requestValues(request));
      return "stored";
    });
  }

  async issueCertificate(
    certificate: IssuedCertificate,
    admission: EnrolledNode | undefined,
  ): Promise<"stored" | "repeated" | "otherIdentity" | "revoked" | "refused"> {
    const { requestId, network, node } = certificate;
    return this.#connections.atomically(async (query) => {
      // One at a time for a node, whether or not it has a row to lock: else two could both find none.
      await query("SELECT 1 AS locked FROM (SELECT pg_advisory_xact_lock(hashtextextended($1, 0))) AS taken", [`${network}/${node}`]);
      if ((await query("SELECT serial FROM certificate WHERE request_id = $1", [requestId])).length > 0) return "repeated";
      const refusal = await judge(query, certificate, admission);
      if (refusal) return refusal;
      if (admission && !(await admit(query, admission))) return "otherIdentity";
      await query(INSERT_CERTIFICATE, certificateValues(certificate));
      await query(FINISH_REQUEST, [requestId]);
      return "stored";
    });
  }

  async revokeNode({ network, node }: NodeRef, atMs: number): Promise<boolean> {
    return this.#connections.atomically(async (query) => {
      if ((await query(REVOKE_NODE.node, [network, node])).length !== 1) return false;
      for (const text of [REVOKE_NODE.certificates, REVOKE_NODE.requests]) await query(text, [network, node]);
      await query(REVOKE_NODE.note, [network, node, atMs]);
      return true;
    });
  }
}

/** Why no certificate is kept; the rows that this rests on stay locked until the step ends. */
async function judge(
  query: PostgresQuery,
  { requestId, network, node }: IssuedCertificate,
  admission: EnrolledNode | undefined,
): Promise<"revoked" | "refused" | undefined> {
  const standing = "SELECT status FROM node WHERE network = $1 AND node = $2 FOR UPDATE";
  const [known] = await query<{ readonly status: string }>(standing, [network, node]);
  if (!admission) return known?.status === "enrolled" ? undefined : "revoked";
  const asked = "SELECT status FROM enrolment_request WHERE id = $1 FOR UPDATE";
  const [request] = await query<{ readonly status: string }>(asked, [requestId]);
  return request?.status === "approved" ? undefined : "refused";
}

/** Lets a node in; false when its name is another identity's. */
async function admit(query: PostgresQuery, node: EnrolledNode): Promise<boolean> {
  const { network, node: name, identityKey, software, profile, site, enrolledAtMs } = node;
  const rows = await query(
    `INSERT INTO node (network, node, identity_key, software, profile, site, status, enrolled_at_ms, last_hello_at_ms)
     VALUES ($1, $2, $3, $4, $5, $6, 'enrolled', $7, 0) ON CONFLICT (network, node) DO UPDATE SET site = excluded.site,
     status = 'enrolled', enrolled_at_ms = excluded.enrolled_at_ms WHERE node.identity_key = excluded.identity_key RETURNING id`,
    [network, name, identityKey, software, profile, site, enrolledAtMs],
  );
  return rows.length > 0;
}
