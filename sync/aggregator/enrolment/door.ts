import { readCertificateRequest } from "../../../src/crypto/index.ts";
import { bytesEqual, type Clock, type Log, toHex } from "../../../src/kernel/index.ts";
import {
  decodeEnrolRequest,
  type EnrolAnswer,
  type EnrolRefusal,
  type EnrolRefusalCode,
  type EnrolRequest,
  encodeEnrolAnswer,
  encodeEnrolRefusal,
  hashToken,
  type VerifySignature,
} from "../../protocol/index.ts";
import { type AdmissionPolicy, type AggregatorStore, type NodeRef, type PeerCertificate, StoreUnavailable } from "../types.ts";
import { AddressRate } from "./address-rate.ts";
import type { Authority } from "./authority.ts";
import type { Claim, EnrolmentRequest } from "./types.ts";

/** What the door stands on. */
export type DoorParts = {
  readonly store: AggregatorStore;
  readonly authority: Authority;
  readonly policy: Pick<AdmissionPolicy, "knowsNetwork">;
  readonly witnessKey: Uint8Array;
  readonly verify: VerifySignature;
  readonly clock: Clock;
  readonly log: Log;
  /** How long a node's certificate lasts. */
  readonly lifeMs: number;
};

/** An answer as it goes out. */
export type DoorReply = { readonly message: Uint8Array; readonly refusal?: EnrolRefusal };

/** When a node asks again whether it is approved. */
const PENDING_RETRY_MS = 3_000;
const FULL_RETRY_MS = 60_000;
const BUSY_RETRY_MS = 2_000;
/** A finding of one kind about one node is written down at most this often. */
const FINDING_EVERY_MS = 60_000;
/** Certificates of one node are at least this share of their life apart. */
const RENEWALS_PER_LIFE = 10;

/** A request that was read and verified, with the key that it wants certified. */
type ReadRequest = EnrolRequest & { readonly ref: NodeRef; readonly publicKey: Uint8Array };

/** Turned away with a stable code; caught by the door itself. */
class Refused extends Error {
  readonly refusal: EnrolRefusal;

  constructor(code: EnrolRefusalCode, detail: string, retryAfterMs?: number) {
    super(detail);
    this.refusal = { code, detail, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }
}

/**
 * Answers nodes that ask for certificates.
 *
 * Invariants: a certificate goes to the identity that signed for its key and for the token, and a token is used once; the
 * same request again gets the same answer; a refused request changes nothing but what is written about it.
 */
export class EnrolmentDoor {
  readonly #parts: DoorParts;
  readonly #rate: AddressRate;
  readonly #lastFindingMs = new Map<string, number>();

  constructor(parts: DoorParts) {
    this.#parts = parts;
    this.#rate = new AddressRate(parts.clock);
  }

  /** PEM of the authority: public, to be compared with a pin. */
  get authority(): string {
    return this.#parts.authority.certificate;
  }

  /** Answers a request with a token; total on any bytes. */
  enrol(message: Uint8Array, address: string): Promise<DoorReply> {
    return this.#answer(address, async () => {
      const request = await this.#read(message);
      const known = await this.#parts.store.enrolment.findRequest(request.id);
      return await this.#answerTo(known ?? (await this.#open(request, address)));
    });
  }

  /** Answers a request for a further certificate over a connection that the present one proves; total on any bytes. */
  renew(message: Uint8Array, peer: PeerCertificate | undefined, address: string): Promise<DoorReply> {
    return this.#answer(address, async () => {
      if (!peer) throw new Refused("noCertificate", "a renewal comes over a connection that the present certificate proves");
      return await this.#renew(await this.#read(message), peer);
    });
  }

  async #answer(address: string, work: () => Promise<EnrolAnswer>): Promise<DoorReply> {
    try {
      const waitMs = this.#rate.take(address);
      if (waitMs > 0) throw new Refused("slowDown", "too many requests from this address", waitMs);
      return { message: encodeEnrolAnswer(await work()) };
    } catch (error) {
      const refusal = this.#refusalOf(error);
      this.#parts.log.info("aggregator.enrolmentRefused", { address, code: refusal.code, detail: refusal.detail });
      return { message: encodeEnrolRefusal(refusal), refusal };
    }
  }

  #refusalOf(error: unknown): EnrolRefusal {
    if (error instanceof Refused) return error.refusal;
    if (!(error instanceof StoreUnavailable)) throw error;
    this.#parts.log.error("aggregator.storeUnavailable", { code: error.code, error: error.message });
    if (error.code === "full") return { code: "full", detail: "the store has no room", retryAfterMs: FULL_RETRY_MS };
    return { code: "unavailable", detail: "the store cannot be reached", retryAfterMs: BUSY_RETRY_MS };
  }

  /** A request that its identity signed and whose certificate request names the same node and network. */
  async #read(message: Uint8Array): Promise<ReadRequest> {
    const { verify, policy } = this.#parts;
    const decoded = decodeEnrolRequest(message, verify);
    if (!decoded.ok) throw new Refused(decoded.error, "the request cannot be taken");
    const request = decoded.value;
    const ref = { network: toHex(request.network), node: request.node };
    if (!policy.knowsNetwork(request.network)) throw new Refused("unknownNetwork", ref.network);
    const csr = await readCertificateRequest(request.csr);
    if (!csr.ok) throw new Refused("badCertificateRequest", "expected PKCS #10 over a P-256 key, signed by it");
    const { commonName, organization } = csr.value.name;
    if (commonName !== ref.node || organization !== ref.network) {
      throw new Refused("wrongNode", "expected a certificate request for the node as CN and its network as O");
    }
    return { ...request, ref, publicKey: csr.value.publicKey };
  }

  async #open(request: EnrolRequest & { readonly ref: NodeRef }, address: string): Promise<EnrolmentRequest> {
    const { store, clock } = this.#parts;
    const { ref, identityKey, csr, id } = request;
    const claim = await this.#claimOf(request);
    const known = await store.findNode(ref);
    if (known && !bytesEqual(known.identityKey, identityKey)) {
      await this.#note(ref, "otherIdentity", `a request of another identity, ${toHex(identityKey)}, from ${address}`);
      throw new Refused("otherIdentity", `${ref.node} has another identity`);
    }
    // Whoever revoked a node and lets it in again says so by naming it.
    if (known?.status === "revoked" && claim.node !== ref.node) throw new Refused("revoked", `${ref.node} was revoked`);
    const isApproved = claim.approval === "auto";
    const opened: EnrolmentRequest = {
      ...ref,
      id,
      claimId: claim.id,
      identityKey,
      csr,
      site: claim.site,
      address,
      requestedAtMs: clock.nowMs(),
      status: isApproved ? "approved" : "pending",
      decidedBy: isApproved ? `claim ${claim.id}` : "",
    };
    if ((await store.enrolment.openRequest(opened)) === "used") throw new Refused("usedToken", "the token was used before");
    await this.#audit(ref, "enrolment.requested", opened.status, `claim ${claim.id}, identity ${toHex(identityKey)}, from ${address}`);
    return opened;
  }

  async #claimOf({ token, ref }: EnrolRequest & { readonly ref: NodeRef }): Promise<Claim> {
    const { store, clock } = this.#parts;
    const claim = token === undefined ? undefined : await store.enrolment.findClaim(hashToken(token));
    if (!claim) throw new Refused("unknownToken", "no such token was made here");
    if (claim.network !== ref.network) throw new Refused("wrongNetwork", "the token is for another network");
    if (claim.node !== undefined && claim.node !== ref.node) throw new Refused("wrongNode", "the token is for another node");
    if (claim.status === "revoked") throw new Refused("revokedToken", "the token was revoked");
    if (claim.status === "used") {
      await this.#note(ref, "usedToken", `claim ${claim.id} was presented again with another request`);
      throw new Refused("usedToken", "the token was used before");
    }
    if (claim.expiresAtMs <= clock.nowMs()) throw new Refused("expiredToken", "the token has expired");
    return claim;
  }

  async #answerTo(request: EnrolmentRequest): Promise<EnrolAnswer> {
    if (request.status === "pending") return { state: "pending", retryAfterMs: PENDING_RETRY_MS };
    if (request.status === "refused") throw new Refused("refused", "the request was refused");
    return (await this.#findIssued(request.id)) ?? (await this.#issueFirst(request));
  }

  async #issueFirst(request: EnrolmentRequest): Promise<EnrolAnswer> {
    const csr = await readCertificateRequest(request.csr);
    if (!csr.ok) throw new Refused("badCertificateRequest", "the stored request cannot be read");
    const { network, node, identityKey, site, id } = request;
    const standing = { software: "", profile: "unmetered", status: "enrolled", lastHelloAtMs: 0 } as const;
    const admission = { network, node, identityKey, site, ...standing, enrolledAtMs: this.#parts.clock.nowMs() };
    return await this.#issue({ network, node }, id, csr.value.publicKey, admission);
  }

  async #renew(request: ReadRequest, peer: PeerCertificate): Promise<EnrolAnswer> {
    const { store, clock, lifeMs } = this.#parts;
    const { ref, identityKey, id, publicKey } = request;
    if (request.token !== undefined) throw new Refused("malformed", "a renewal has no token");
    if (peer.name !== ref.node) throw new Refused("wrongNode", `the certificate ${peer.name} does not speak for ${ref.node}`);
    if (peer.notAfterMs <= clock.nowMs()) throw new Refused("noCertificate", "the certificate has expired");
    const present = await store.enrolment.findCertificate(peer.serial);
    if (!present || present.network !== ref.network || present.node !== ref.node)
      throw new Refused("wrongNode", "no certificate of this authority");
    const known = await store.findNode(ref);
    if (present.status === "revoked" || known?.status !== "enrolled") throw new Refused("revoked", `${ref.node} was revoked`);
    if (!bytesEqual(known.identityKey, identityKey)) {
      await this.#note(ref, "otherIdentity", `a renewal of another identity, ${toHex(identityKey)}`);
      throw new Refused("otherIdentity", `${ref.node} has another identity`);
    }
    const repeated = await this.#findIssued(id);
    if (repeated) return repeated;
    const [latest] = await store.enrolment.listCertificates(ref, 1);
    const waitMs = (latest?.issuedAtMs ?? 0) + lifeMs / RENEWALS_PER_LIFE - clock.nowMs();
    if (waitMs > 0) throw new Refused("slowDown", "the last certificate is too young", Math.ceil(waitMs));
    return await this.#issue(ref, id, publicKey, undefined);
  }

  async #issue(
    ref: NodeRef,
    requestId: string,
    publicKey: Uint8Array,
    admission: Parameters<AggregatorStore["enrolment"]["issueCertificate"]>[1],
  ): Promise<EnrolAnswer> {
    const { authority, store, clock, lifeMs } = this.#parts;
    const issuedAtMs = clock.nowMs();
    const { pem, serial, notAfterMs } = await authority.issueNode({ ...ref, publicKey }, issuedAtMs, lifeMs);
    const certificate = { ...ref, serial, requestId, pem, notAfterMs, issuedAtMs, status: "valid" } as const;
    const outcome = await store.enrolment.issueCertificate(certificate, admission);
    if (outcome === "otherIdentity") throw new Refused("otherIdentity", `${ref.node} has another identity`);
    if (outcome === "revoked") throw new Refused("revoked", `${ref.node} was revoked`);
    if (outcome === "refused") throw new Refused("refused", "the request was refused");
    if (outcome === "stored") {
      await this.#audit(ref, admission ? "enrolment.issued" : "enrolment.renewed", "ok", `certificate ${serial}`);
    }
    const issued = await this.#findIssued(requestId);
    if (!issued) throw new Refused("unavailable", "the certificate is not there yet", BUSY_RETRY_MS);
    return issued;
  }

  async #findIssued(requestId: string): Promise<EnrolAnswer | undefined> {
    const certificate = await this.#parts.store.enrolment.findCertificateOfRequest(requestId);
    if (!certificate) return undefined;
    if (certificate.status === "revoked") throw new Refused("revoked", `${certificate.node} was revoked`);
    return { state: "issued", certificate: certificate.pem, authority: this.authority, witnessKey: this.#parts.witnessKey };
  }

  async #audit({ network, node }: NodeRef, action: string, outcome: string, detail: string): Promise<void> {
    const atMs = this.#parts.clock.nowMs();
    this.#parts.log.info("aggregator.enrolment", { node, action, outcome, detail });
    await this.#parts.store.addAudit({ atMs, actor: `node ${node}`, action, target: `${network}/${node}`, outcome, detail });
  }

  async #note(ref: NodeRef, kind: string, detail: string): Promise<void> {
    const key = `${ref.network}/${ref.node}/${kind}`;
    const nowMs = this.#parts.clock.monotonicMs();
    if (nowMs - (this.#lastFindingMs.get(key) ?? -Infinity) < FINDING_EVERY_MS) return;
    if (this.#lastFindingMs.size >= 10_000) this.#lastFindingMs.clear();
    this.#lastFindingMs.set(key, nowMs);
    await this.#parts.store.addFinding({ ...ref, kind, detail, atMs: this.#parts.clock.nowMs() });
  }
}
