import type { Claim, EnrolmentRequest, EnrolmentStore, IssuedCertificate } from "../enrolment/types.ts";
import type { EnrolledNode, NodeRef } from "../types.ts";
import { keepableText as kept, type PostgresConnections, type PostgresQuery } from "./postgres-connection.ts";
import {
  type CertificateRow,
  type ClaimRow,
  certificateOfRow,
  claimOfRow,
  type RequestRow,
  requestOfRow,
} from "./sqlite-enrolment-rows.ts";

/** Claims, requests and certificates in PostgreSQL. What must not happen twice is decided by the rows that are locked for it. */
export class PostgresEnrolment implements EnrolmentStore {
  readonly #connections: PostgresConnections;

  constructor(connections: PostgresConnections) {
    this.#connections = connections;
  }

  async putClaim(claim: Claim): Promise<void> {
    const { id, tokenHash, network, node, site, approval, madeBy, madeAtMs, expiresAtMs, status } = claim;
    await this.#connections.query(
      `INSERT INTO claim (id, token_hash, network, node, site, approval, made_by, made_at_ms, expires_at_ms, status)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [id, tokenHash, network, node ?? null, kept(site), approval, kept(madeBy), madeAtMs, expiresAtMs, status],
    );
  }

  async findClaim(tokenHash: Uint8Array): Promise<Claim | undefined> {
    return (await this.#connections.query<ClaimRow>("SELECT * FROM claim WHERE token_hash = $1", [tokenHash])).map(claimOfRow)[0];
  }

  async listClaims(limit: number): Promise<readonly Claim[]> {
    const text = "SELECT * FROM claim ORDER BY made_at_ms DESC, id LIMIT $1";
    return (await this.#connections.query<ClaimRow>(text, [limit])).map(claimOfRow);
  }

  async revokeClaim(id: string): Promise<boolean> {
    return (await this.#connections.query(END_CLAIM, [kept(id), "revoked"])).length === 1;
  }

  async openRequest(request: EnrolmentRequest): Promise<"stored" | "used"> {
    const { id, claimId, network, node, identityKey, csr, site, address, requestedAtMs, status, decidedBy } = request;
    return this.#connections.atomically(async (query) => {
      if ((await query(END_CLAIM, [claimId, "used"])).length !== 1) return "used";
      await query(
        `INSERT INTO enrolment_request (id, claim_id, network, node, identity_key, csr, site, address, requested_at_ms, status, decided_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
        [id, claimId, network, node, identityKey, csr, kept(site), kept(address), requestedAtMs, status, kept(decidedBy)],
      );
      return "stored";
    });
  }

  async findRequest(id: string): Promise<EnrolmentRequest | undefined> {
    return (await this.#connections.query<RequestRow>("SELECT * FROM enrolment_request WHERE id = $1", [kept(id)])).map(requestOfRow)[0];
  }

  async listRequests(status: EnrolmentRequest["status"] | undefined, limit: number): Promise<readonly EnrolmentRequest[]> {
    const text = "SELECT * FROM enrolment_request WHERE $1::text IS NULL OR status = $1 ORDER BY requested_at_ms DESC, id LIMIT $2";
    return (await this.#connections.query<RequestRow>(text, [status ?? null, limit])).map(requestOfRow);
  }

  async decideRequest(id: string, status: "approved" | "refused", by: string): Promise<boolean> {
    const text = "UPDATE enrolment_request SET status = $2, decided_by = $3 WHERE id = $1 AND status = 'pending' RETURNING id";
    return (await this.#connections.query(text, [kept(id), status, kept(by)])).length === 1;
  }

  async issueCertificate(
    certificate: IssuedCertificate,
    admission: EnrolledNode | undefined,
  ): Promise<"stored" | "repeated" | "otherIdentity" | "revoked" | "refused"> {
    const { serial, requestId, network, node, pem, notAfterMs, issuedAtMs, status } = certificate;
    return this.#connections.atomically(async (query) => {
      // One at a time for a node, whether or not it has a row to lock: else two could both find none.
      await query("SELECT 1 AS locked FROM (SELECT pg_advisory_xact_lock(hashtextextended($1, 0))) AS taken", [`${network}/${node}`]);
      if ((await query("SELECT serial FROM certificate WHERE request_id = $1", [requestId])).length > 0) return "repeated";
      const refusal = await judge(query, certificate, admission);
      if (refusal) return refusal;
      if (admission && !(await admit(query, admission))) return "otherIdentity";
      const values = [serial, requestId, network, node, pem, notAfterMs, issuedAtMs, status];
      await query(
        `INSERT INTO certificate (serial, request_id, network, node, pem, not_after_ms, issued_at_ms, status)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
        values,
      );
      await query("UPDATE enrolment_request SET status = 'issued' WHERE id = $1", [requestId]);
      return "stored";
    });
  }

  async findCertificate(serial: string): Promise<IssuedCertificate | undefined> {
    const rows = await this.#connections.query<CertificateRow>("SELECT * FROM certificate WHERE serial = $1", [kept(serial)]);
    return rows.map(certificateOfRow)[0];
  }

  async findCertificateOfRequest(requestId: string): Promise<IssuedCertificate | undefined> {
    const rows = await this.#connections.query<CertificateRow>("SELECT * FROM certificate WHERE request_id = $1", [kept(requestId)]);
    return rows.map(certificateOfRow)[0];
  }

  async listCertificates({ network, node }: NodeRef, limit: number): Promise<readonly IssuedCertificate[]> {
    const text = "SELECT * FROM certificate WHERE network = $1 AND node = $2 ORDER BY issued_at_ms DESC, serial LIMIT $3";
    return (await this.#connections.query<CertificateRow>(text, [kept(network), kept(node), limit])).map(certificateOfRow);
  }

  async revokeNode({ network, node }: NodeRef, atMs: number): Promise<boolean> {
    const ref = [kept(network), kept(node)];
    const of = "WHERE network = $1 AND node = $2";
    return this.#connections.atomically(async (query) => {
      if ((await query(`UPDATE node SET status = 'revoked' ${of} RETURNING id`, ref)).length !== 1) return false;
      await query(`UPDATE certificate SET status = 'revoked' ${of}`, ref);
      await query(`UPDATE enrolment_request SET status = 'refused' ${of} AND status IN ('pending', 'approved')`, ref);
      await query("INSERT INTO revocation (network, node, at_ms) VALUES ($1, $2, $3)", [...ref, atMs]);
      return true;
    });
  }

  async listRevokedSince(atMs: number): Promise<readonly NodeRef[]> {
    return this.#connections.query<NodeRef>("SELECT DISTINCT network, node FROM revocation WHERE at_ms >= $1", [atMs]);
  }
}

const END_CLAIM = "UPDATE claim SET status = $2 WHERE id = $1 AND status = 'open' RETURNING id";

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
    [network, name, identityKey, kept(software), profile, kept(site), enrolledAtMs],
  );
  return rows.length > 0;
}
