import type { Claim, EnrolmentRequest, IssuedCertificate } from "../enrolment/types.ts";
import type { NodeRef } from "../types.ts";
import * as rows from "./enrolment-rows.ts";
import type { SqlPort, SqlValue } from "./sql-port.ts";

/** Ends a claim that is open: at most once, whoever else tries. */
export const END_CLAIM = "UPDATE claim SET status = $2 WHERE id = $1 AND status = 'open' RETURNING id";

/** The part of enrolment's store that is the same on every database that speaks SQL. */
export class SqlEnrolment {
  protected readonly sql: SqlPort;

  constructor(sql: SqlPort) {
    this.sql = sql;
  }

  async putClaim(claim: Claim): Promise<void> {
    const { id, tokenHash, network, node, site, approval, madeBy, madeAtMs, expiresAtMs, status } = claim;
    await this.sql.change([
      `INSERT INTO claim (id, token_hash, network, node, site, approval, made_by, made_at_ms, expires_at_ms, status)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
      [id, tokenHash, network, node ?? null, site, approval, madeBy, madeAtMs, expiresAtMs, status],
    ]);
  }

  async findClaim(tokenHash: Uint8Array): Promise<Claim | undefined> {
    return (await this.sql.read<rows.ClaimRow>("SELECT * FROM claim WHERE token_hash = $1", [tokenHash])).map(rows.claimOfRow)[0];
  }

  async listClaims(limit: number): Promise<readonly Claim[]> {
    return (await this.sql.read<rows.ClaimRow>("SELECT * FROM claim ORDER BY made_at_ms DESC, id LIMIT $1", [limit])).map(rows.claimOfRow);
  }

  async revokeClaim(id: string): Promise<boolean> {
    return (await this.sql.change([END_CLAIM, [id, "revoked"]])).length === 1;
  }

  async findRequest(id: string): Promise<EnrolmentRequest | undefined> {
    return (await this.sql.read<rows.RequestRow>("SELECT * FROM enrolment_request WHERE id = $1", [id])).map(rows.requestOfRow)[0];
  }

  async listRequests(status: EnrolmentRequest["status"] | undefined, limit: number): Promise<readonly EnrolmentRequest[]> {
    const text = "SELECT * FROM enrolment_request WHERE $1::text IS NULL OR status = $1 ORDER BY requested_at_ms DESC, id LIMIT $2";
    return (await this.sql.read<rows.RequestRow>(text, [status ?? null, limit])).map(rows.requestOfRow);
  }

  async decideRequest(id: string, status: "approved" | "refused", by: string): Promise<boolean> {
    const text = "UPDATE enrolment_request SET status = $2, decided_by = $3 WHERE id = $1 AND status = 'pending' RETURNING id";
    return (await this.sql.change([text, [id, status, by]])).length === 1;
  }

  async findCertificate(serial: string): Promise<IssuedCertificate | undefined> {
    return (await this.#certificates("WHERE serial = $1", [serial]))[0];
  }

  async findCertificateOfRequest(requestId: string): Promise<IssuedCertificate | undefined> {
    return (await this.#certificates("WHERE request_id = $1", [requestId]))[0];
  }

  async listCertificates({ network, node }: NodeRef, limit: number): Promise<readonly IssuedCertificate[]> {
    return this.#certificates("WHERE network = $1 AND node = $2 ORDER BY issued_at_ms DESC, serial LIMIT $3", [network, node, limit]);
  }

  async listRevokedSince(atMs: number): Promise<readonly NodeRef[]> {
    return this.sql.read<NodeRef>("SELECT DISTINCT network, node FROM revocation WHERE at_ms >= $1", [atMs]);
  }

  async #certificates(rest: string, values: readonly SqlValue[]): Promise<readonly IssuedCertificate[]> {
    return (await this.sql.read<rows.CertificateRow>(`SELECT * FROM certificate ${rest}`, values)).map(rows.certificateOfRow);
  }
}

/** A request's row, for the statement that lays it down. */
export const INSERT_REQUEST = `INSERT INTO enrolment_request (id, claim_id, network, node, identity_key, csr, site, address, requested_at_ms, status, decided_by)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`;

/** The values of that statement. */
export function requestValues(request: EnrolmentRequest): readonly SqlValue[] {
  const { id, claimId, network, node, identityKey, csr, site, address, requestedAtMs, status, decidedBy } = request;
  return [id, claimId, network, node, identityKey, csr, site, address, requestedAtMs, status, decidedBy];
}

/** Lays down a certificate. */
export const INSERT_CERTIFICATE = `INSERT INTO certificate (serial, request_id, network, node, pem, not_after_ms, issued_at_ms, status)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`;

/** The values of that statement. */
export function certificateValues(certificate: IssuedCertificate): readonly SqlValue[] {
  const { serial, requestId, network, node, pem, notAfterMs, issuedAtMs, status } = certificate;
  return [serial, requestId, network, node, pem, notAfterMs, issuedAtMs, status];
}

/** A node's request has its certificate. */
export const FINISH_REQUEST = "UPDATE enrolment_request SET status = 'issued' WHERE id = $1";

const OF_NODE = "WHERE network = $1 AND node = $2";

/** What revoking a node is, in order; the first says whether there is such a node. The last takes the time beside the node. */
export const REVOKE_NODE = {
  node: `UPDATE node SET status = 'revoked' ${OF_NODE} RETURNING id`,
  certificates: `UPDATE certificate SET status = 'revoked' ${OF_NODE}`,
  requests: `UPDATE enrolment_request SET status = 'refused' ${OF_NODE} AND status IN ('pending', 'approved')`,
  note: "INSERT INTO revocation (network, node, at_ms) VALUES ($1, $2, $3)",
} as const;
