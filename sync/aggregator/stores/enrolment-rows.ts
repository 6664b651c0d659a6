import type { Claim, EnrolmentRequest, IssuedCertificate } from "../enrolment/types.ts";

/** A row of `claim`. */
export type ClaimRow = {
  readonly id: string;
  readonly token_hash: Uint8Array;
  readonly network: string;
  readonly node: string | null;
  readonly site: string;
  readonly approval: string;
  readonly made_by: string;
  readonly made_at_ms: bigint;
  readonly expires_at_ms: bigint;
  readonly status: string;
};

/** A row of `request`. */
export type RequestRow = {
  readonly id: string;
  readonly claim_id: string;
  readonly network: string;
  readonly node: string;
  readonly identity_key: Uint8Array;
  readonly csr: Uint8Array;
  readonly site: string;
  readonly address: string;
  readonly requested_at_ms: bigint;
  readonly status: string;
  readonly decided_by: string;
};

/** A row of `certificate`. */
export type CertificateRow = {
  readonly serial: string;
  readonly request_id: string;
  readonly network: string;
  readonly node: string;
  readonly pem: string;
  readonly not_after_ms: bigint;
  readonly issued_at_ms: bigint;
  readonly status: string;
};

/** A claim of its row. */
export function claimOfRow(row: ClaimRow): Claim {
  return {
    id: row.id,
    tokenHash: row.token_hash,
    network: row.network,
    ...(row.node === null ? {} : { node: row.node }),
    site: row.site,
    approval: row.approval === "auto" ? "auto" : "manual",
    madeBy: row.made_by,
    madeAtMs: Number(row.made_at_ms),
    expiresAtMs: Number(row.expires_at_ms),
    status: row.status === "open" || row.status === "used" ? row.status : "revoked",
  };
}

/** A request of its row. */
export function requestOfRow(row: RequestRow): EnrolmentRequest {
  const { status } = row;
  return {
    id: row.id,
    claimId: row.claim_id,
    network: row.network,
    node: row.node,
    identityKey: row.identity_key,
    csr: row.csr,
    site: row.site,
    address: row.address,
    requestedAtMs: Number(row.requested_at_ms),
    status: status === "pending" || status === "approved" || status === "issued" ? status : "refused",
    decidedBy: row.decided_by,
  };
}

/** A certificate of its row. */
export function certificateOfRow(row: CertificateRow): IssuedCertificate {
  return {
    serial: row.serial,
    requestId: row.request_id,
    network: row.network,
    node: row.node,
    pem: row.pem,
    notAfterMs: Number(row.not_after_ms),
    issuedAtMs: Number(row.issued_at_ms),
    status: row.status === "valid" ? "valid" : "revoked",
  };
}
