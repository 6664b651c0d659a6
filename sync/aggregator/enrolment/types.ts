import type { EnrolledNode, NodeRef } from "../node.ts";

/** Leave to ask for one certificate, once. The token itself is shown when it is made and kept nowhere. */
export type Claim = {
  /** What people call it: the first 16 hex digits of the token's hash. */
  readonly id: string;
  /** SHA-256 of the token, 32 bytes. */
  readonly tokenHash: Uint8Array;
  /** Hex of the genesis hash. */
  readonly network: string;
  /** The only node that may use it; undefined: whichever comes first. */
  readonly node?: string;
  readonly site: string;
  /** Whether a request with it waits for a person. */
  readonly approval: "auto" | "manual";
  readonly madeBy: string;
  readonly madeAtMs: number;
  readonly expiresAtMs: number;
  readonly status: "open" | "used" | "revoked";
};

/** A node's request for its first certificate. */
export type EnrolmentRequest = NodeRef & {
  /** Hex of the hash of what the node signed: the same request again has the same id. */
  readonly id: string;
  readonly claimId: string;
  /** The node's identity, which signed the request. 32 bytes. */
  readonly identityKey: Uint8Array;
  /** PKCS #10 in DER, its own signature verified. */
  readonly csr: Uint8Array;
  readonly site: string;
  /** Where it came from, for people. */
  readonly address: string;
  readonly requestedAtMs: number;
  readonly status: "pending" | "approved" | "refused" | "issued";
  /** Who decided; empty while nobody has. */
  readonly decidedBy: string;
};

/** A certificate that the aggregator's authority signed. */
export type IssuedCertificate = NodeRef & {
  /** Hex, lower case, without leading zeros. */
  readonly serial: string;
  /** The enrolment or renewal that it answers: one certificate each. */
  readonly requestId: string;
  readonly pem: string;
  readonly notAfterMs: number;
  readonly issuedAtMs: number;
  readonly status: "valid" | "revoked";
};

/**
 * Where enrolment keeps what it decides: part of the aggregator's store, with the same promises. Every method that changes
 * something is one atomic step, so that several aggregators on one store never use a claim twice or answer a request with
 * two certificates.
 */
export interface EnrolmentStore {
  putClaim(claim: Claim): Promise<void>;
  findClaim(tokenHash: Uint8Array): Promise<Claim | undefined>;
  /** The newest first. */
  listClaims(limit: number): Promise<readonly Claim[]>;
  /** Ends an open claim; false when there is no open one of this id. */
  revokeClaim(id: string): Promise<boolean>;

  /** Keeps a request and marks its claim as used, both or neither; `used` when the claim is not open any more. */
  openRequest(request: EnrolmentRequest): Promise<"stored" | "used">;
  findRequest(id: string): Promise<EnrolmentRequest | undefined>;
  /** The newest first; of one status, or of any. */
  listRequests(status: EnrolmentRequest["status"] | undefined, limit: number): Promise<readonly EnrolmentRequest[]>;
  /** Decides about a pending request; false when it is not pending. */
  decideRequest(id: string, status: "approved" | "refused", by: string): Promise<boolean>;

  /**
   * Keeps a certificate.
   *
   * @param admission the node to be enrolled with it, whether it is new, known with the same identity or was revoked
   *   before; its request becomes `issued`. Undefined for a renewal: then the node must be enrolled.
   * @returns `repeated` when its request has a certificate already, `refused` when its request is not approved (any more)
   */
  issueCertificate(
    certificate: IssuedCertificate,
    admission: EnrolledNode | undefined,
  ): Promise<"stored" | "repeated" | "otherIdentity" | "revoked" | "refused">;
  findCertificate(serial: string): Promise<IssuedCertificate | undefined>;
  findCertificateOfRequest(requestId: string): Promise<IssuedCertificate | undefined>;
  /** The newest first. */
  listCertificates(ref: NodeRef, limit: number): Promise<readonly IssuedCertificate[]>;

  /**
   * Turns a node away from now on: its status, its certificates and its open requests, in one step. Written down as a
   * revocation of this time even when it was revoked before.
   *
   * @returns false when no such node is known
   */
  revokeNode(ref: NodeRef, atMs: number): Promise<boolean>;
  /** Nodes that were revoked at or after a time, whether or not they were enrolled again since. */
  listRevokedSince(atMs: number): Promise<readonly NodeRef[]>;
}
