import { bytesEqual } from "../../../src/kernel/index.ts";
import type { EnrolmentRequest, EnrolmentStore, IssuedCertificate } from "../enrolment/types.ts";
import type { EnrolledNode, NodeRef } from "../types.ts";
import type { CertificateRow, RequestRow } from "./enrolment-rows.ts";
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
import type { SqlitePort } from "./sqlite-port.ts";

type Standing = { readonly status: string; readonly identity_key: Uint8Array };

/** Claims, requests and certificates in aggregator.db. */
export class SqliteEnrolment extends SqlEnrolment implements EnrolmentStore {
  readonly #port: SqlitePort;

  constructor(port: SqlitePort) {
    super(port);
    this.#port = port;
  }

  async openRequest(request: EnrolmentRequest): Promise<"stored" | "used"> {
    return this.#port.atomically(() => {
      if (this.#port.rows(END_CLAIM, [request.claimId, "used"]).length !== 1) return "used";
      this.#port.rows(INSERT_REQUEST, requestValues(request));
      return "stored";
    });
  }

  async issueCertificate(
    certificate: IssuedCertificate,
    admission: EnrolledNode | undefined,
  ): Promise<"stored" | "repeated" | "otherIdentity" | "revoked" | "refused"> {
    const { requestId, network, node } = certificate;
    const port = this.#port;
    return port.atomically(() => {
      if (port.rows<CertificateRow>("SELECT serial FROM certificate WHERE request_id = $1", [requestId]).length > 0) return "repeated";
      const [known] = port.rows<Standing>("SELECT status, identity_key FROM node WHERE network = $1 AND node = $2", [network, node]);
      if (!admission && known?.status !== "enrolled") return "revoked";
      const [request] = port.rows<Pick<RequestRow, "status">>("SELECT status FROM enrolment_request WHERE id = $1", [requestId]);
      if (admission && request?.status !== "approved") return "refused";
      if (admission && known && !bytesEqual(known.identity_key, admission.identityKey)) return "otherIdentity";
      if (admission) this.#admit(admission);
      port.rows(INSERT_CERTIFICATE, certificateValues(certificate));
      port.rows(FINISH_REQUEST, [requestId]);
      return "stored";
    });
  }

  async revokeNode({ network, node }: NodeRef, atMs: number): Promise<boolean> {
    const port = this.#port;
    return port.atomically(() => {
      if (port.rows(REVOKE_NODE.node, [network, node]).length !== 1) return false;
      for (const text of [REVOKE_NODE.certificates, REVOKE_NODE.requests]) port.rows(text, [network, node]);
      port.rows(REVOKE_NODE.note, [network, node, atMs]);
      return true;
    });
  }

  #admit({ network, node, identityKey, software, profile, site, enrolledAtMs }: EnrolledNode): void {
    this.#port.rows(
      `INSERT INTO node (network, node, identity_key, software, profile, site, status, enrolled_at_ms, last_hello_at_ms)
       VALUES ($1, $2, $3, $4, $5, $6, 'enrolled', $7, 0)
       ON CONFLICT (network, node) DO UPDATE SET site = excluded.site, status = 'enrolled', enrolled_at_ms = excluded.enrolled_at_ms`,
      [network, node, identityKey, software, profile, site, enrolledAtMs],
    );
  }
}
