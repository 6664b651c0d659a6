import type { PeerCertificate } from "node:tls";

/**
 * The name that a client certificate gives its device: the subject's common name, else its first DNS name. Undefined when
 * it has neither, or several common names.
 */
export function certificateNameOf(
  certificate: Partial<Pick<PeerCertificate, "subject" | "subjectaltname">> | undefined,
): string | undefined {
  const common: unknown = certificate?.subject?.CN;
  if (typeof common === "string" && common !== "") return common;
  if (common !== undefined) return undefined;
  return /(?:^|, )DNS:([^,"]+)/.exec(certificate?.subjectaltname ?? "")?.[1];
}

/** Whether a client showed a certificate at all. */
export function isCertificate(certificate: object | null | undefined): boolean {
  return certificate !== undefined && certificate !== null && Object.keys(certificate).length > 0;
}
