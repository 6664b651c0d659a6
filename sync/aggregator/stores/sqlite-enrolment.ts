import { bytesEqual } from "../../../src/kernel/index.ts";
import type { Database } from "../../../src/storage/index.ts";
import type { Claim, EnrolmentRequest, EnrolmentStore, IssuedCertificate } from "../enrolment/types.ts";
import type { EnrolledNode, NodeRef } from "../types.ts";
import {
  type CertificateRow,
  type ClaimRow,
  certificateOfRow,
  claimOfRow,
  type RequestRow,
  requestOfRow,
} from "./sqlite-enrolment-rows.ts";

/** How the store beside it reads and writes: with its translation of failures, each write atomic and durable. */
export type StoreAccess = { readonly read: <T>(query: () => T) => T; readonly write: <T>(action: () => T) => T };

/** Claims, requests and certificates in aggregator.db. */
export class SqliteEnrolment implements EnrolmentStore {
  readonly #access: StoreAccess;
  readonly #statements: ReturnType<typeof prepareEnrolment>;

  constructor(database: Database, access: StoreAccess) {
    this.#access = access;
    this.#statements = prepareEnrolment(database);
  }

  async putClaim(claim: Claim): Promise<void> {
    const { id, tokenHash, network, node, site, approval, madeBy, madeAtMs, expiresAtMs, status } = claim;
    this.#access.write(() =>
      this.#statements.insertClaim.run(id, tokenHash, network, node ?? null, site, approval, madeBy, madeAtMs, expiresAtMs, status),
    );
  }

  async findClaim(tokenHash: Uint8Array): Promise<Claim | undefined> {
    const row = this.#access.read(() => this.#statements.selectClaim.get(tokenHash));
    return row ? claimOfRow(row) : undefined;
  }

  async listClaims(limit: number): Promise<readonly Claim[]> {
    return this.#access.read(() => this.#statements.listClaims.all(limit)).map(claimOfRow);
  }

  async revokeClaim(id: string): Promise<boolean> {
    return this.#access.write(() => this.#statements.endClaim.run("revoked", id).changes === 1);
  }

  async openRequest(request: EnrolmentRequest): Promise<"stored" | "used"> {
    const { id, claimId, network, node, identityKey, csr, site, address, requestedAtMs, status, decidedBy } = request;
    const { endClaim, insertRequest } = this.#statements;
    return this.#access.write(() => {
      if (endClaim.run("used", claimId).changes !== 1) return "used";
      insertRequest.run(id, claimId, network, node, identityKey, csr, site, address, requestedAtMs, status, decidedBy);
      return "stored";
    });
  }

  async findRequest(id: string): Promise<EnrolmentRequest | undefined> {
    const row = this.#access.read(() => this.#statements.selectRequest.get(id));
    return row ? requestOfRow(row) : undefined;
  }

  async listRequests(status: EnrolmentRequest["status"] | undefined, limit: number): Promise<readonly EnrolmentRequest[]> {
    const { allRequests, requestsOf } = this.#statements;
    return this.#access.read(() => (status ? requestsOf.all(status, limit) : allRequests.all(limit))).map(requestOfRow);
  }

  async decideRequest(id: string, status: "approved" | "refused", by: string): Promise<boolean> {
    return this.#access.write(() => this.#statements.decideRequest.run(status, by, id).changes === 1);
  }

  async issueCertificate(
    certificate: IssuedCertificate,
    admission: EnrolledNode | undefined,
  ): Promise<"stored" | "repeated" | "otherIdentity" | "revoked" | "refused"> {
    const { certificateOf, selectStanding, selectRequest, insertCertificate, finishRequest } = this.#statements;
    const { serial, requestId, network, node, pem, notAfterMs, issuedAtMs, status } = certificate;
    return this.#access.write(() => {
      if (certificateOf.get(requestId)) return "repeated";
      const known = selectStanding.get(network, node);
      if (!admission && known?.status !== "enrolled") return "revoked";
      if (admission && selectRequest.get(requestId)?.status !== "approved") return "refused";
      if (admission && known && !bytesEqual(known.identity_key, admission.identityKey)) return "otherIdentity";
      if (admission) this.#admit(admission);
      insertCertificate.run(serial, requestId, network, node, pem, notAfterMs, issuedAtMs, status);
      finishRequest.run(requestId);
      return "stored";
    });
  }

  async findCertificate(serial: string): Promise<IssuedCertificate | undefined> {
    const row = this.#access.read(() => this.#statements.selectCertificate.get(serial));
    return row ? certificateOfRow(row) : undefined;
  }

  async findCertificateOfRequest(requestId: string): Promise<IssuedCertificate | undefined> {
    const row = this.#access.read(() => this.#statements.certificateOf.get(requestId));
    return row ? certificateOfRow(row) : undefined;
  }

  async listCertificates({ network, node }: NodeRef, limit: number): Promise<readonly IssuedCertificate[]> {
    return this.#access.read(() => this.#statements.listCertificates.all(network, node, limit)).map(certificateOfRow);
  }

  async revokeNode({ network, node }: NodeRef, atMs: number): Promise<boolean> {
    const { revokeNode, revokeCertificates, refuseRequests, insertRevocation } = this.#statements;
    return this.#access.write(() => {
      if (revokeNode.run(network, node).changes !== 1) return false;
      revokeCertificates.run(network, node);
      refuseRequests.run(network, node);
      insertRevocation.run(network, node, atMs);
      return true;
    });
  }

  async listRevokedSince(atMs: number): Promise<readonly NodeRef[]> {
    return this.#access.read(() => this.#statements.listRevoked.all(atMs));
  }

  #admit({ network, node, identityKey, software, profile, site, enrolledAtMs }: EnrolledNode): void {
    this.#statements.admitNode.run(network, node, identityKey, software, profile, site, enrolledAtMs);
  }
}

/** The statements of enrolment, compiled once. */
function prepareEnrolment(database: Database) {
  const claim = "SELECT id, token_hash, network, node, site, approval, made_by, made_at_ms, expires_at_ms, status FROM claim";
  const request =
    "SELECT id, claim_id, network, node, identity_key, csr, site, address, requested_at_ms, status, decided_by FROM enrolment_request";
  const certificate = "SELECT serial, request_id, network, node, pem, not_after_ms, issued_at_ms, status FROM certificate";
  type Text = string;
  return {
    insertClaim: database.prepare<never, [Text, Uint8Array, Text, Text | null, Text, Text, Text, number, number, Text]>(
      "INSERT INTO claim (id, token_hash, network, node, site, approval, made_by, made_at_ms, expires_at_ms, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    ),
    selectClaim: database.prepare<ClaimRow, [Uint8Array]>(`${claim} WHERE token_hash = ?`),
    listClaims: database.prepare<ClaimRow, [number]>(`${claim} ORDER BY made_at_ms DESC, id LIMIT ?`),
    endClaim: database.prepare<never, [Text, Text]>("UPDATE claim SET status = ? WHERE id = ? AND status = 'open'"),
    insertRequest: database.prepare<never, [Text, Text, Text, Text, Uint8Array, Uint8Array, Text, Text, number, Text, Text]>(
      `INSERT INTO enrolment_request (id, claim_id, network, node, identity_key, csr, site, address, requested_at_ms, status, decided_by)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    selectRequest: database.prepare<RequestRow, [Text]>(`${request} WHERE id = ?`),
    allRequests: database.prepare<RequestRow, [number]>(`${request} ORDER BY requested_at_ms DESC, id LIMIT ?`),
    requestsOf: database.prepare<RequestRow, [Text, number]>(`${request} WHERE status = ? ORDER BY requested_at_ms DESC, id LIMIT ?`),
    decideRequest: database.prepare<never, [Text, Text, Text]>(
      "UPDATE enrolment_request SET status = ?, decided_by = ? WHERE id = ? AND status = 'pending'",
    ),
    finishRequest: database.prepare<never, [Text]>("UPDATE enrolment_request SET status = 'issued' WHERE id = ?"),
    refuseRequests: database.prepare<never, [Text, Text]>(
      "UPDATE enrolment_request SET status = 'refused' WHERE network = ? AND node = ? AND status IN ('pending', 'approved')",
    ),
    insertCertificate: database.prepare<never, [Text, Text, Text, Text, Text, number, number, Text]>(
      "INSERT INTO certificate (serial, request_id, network, node, pem, not_after_ms, issued_at_ms, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    ),
    selectCertificate: database.prepare<CertificateRow, [Text]>(`${certificate} WHERE serial = ?`),
    certificateOf: database.prepare<CertificateRow, [Text]>(`${certificate} WHERE request_id = ?`),
    listCertificates: database.prepare<CertificateRow, [Text, Text, number]>(
      `${certificate} WHERE network = ? AND node = ? ORDER BY issued_at_ms DESC, serial LIMIT ?`,
    ),
    revokeCertificates: database.prepare<never, [Text, Text]>("UPDATE certificate SET status = 'revoked' WHERE network = ? AND node = ?"),
    selectStanding: database.prepare<{ readonly status: string; readonly identity_key: Uint8Array }, [Text, Text]>(
      "SELECT status, identity_key FROM node WHERE network = ? AND node = ?",
    ),
    admitNode: database.prepare<never, [Text, Text, Uint8Array, Text, Text, Text, number]>(
      `INSERT INTO node (network, node, identity_key, validator_key, software, profile, site, status, enrolled_at_ms, last_hello_at_ms)
       VALUES (?, ?, ?, NULL, ?, ?, ?, 'enrolled', ?, 0)
       ON CONFLICT (network, node) DO UPDATE SET site = excluded.site, status = 'enrolled', enrolled_at_ms = excluded.enrolled_at_ms`,
    ),
    revokeNode: database.prepare<never, [Text, Text]>("UPDATE node SET status = 'revoked' WHERE network = ? AND node = ?"),
    insertRevocation: database.prepare<never, [Text, Text, number]>("INSERT INTO revocation (network, node, at_ms) VALUES (?, ?, ?)"),
    listRevoked: database.prepare<NodeRef, [number]>("SELECT DISTINCT network, node FROM revocation WHERE at_ms >= ?"),
  };
}
