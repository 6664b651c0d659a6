import type { Socket } from "node:net";
import { sha256 } from "../../../src/crypto/index.ts";
import { parseHex, toHex, utf8 } from "../../../src/kernel/index.ts";
import { nodePrefix, nodeWord } from "../../protocol/index.ts";
import type { FleetAccess } from "../fleet/access.ts";
import { FleetProblem } from "../fleet/problem.ts";
import { peerOf } from "../front/connections.ts";
import type { AggregatorStore, NodeRef, PeerCertificate } from "../types.ts";

/** What somebody may do with objects. */
export type ObjectCaller = {
  /** For logs and the audit. */
  readonly name: string;
  /** The node that it is, where the certificate says of which network. */
  readonly ref?: NodeRef;
  /** Whether it may write below any network, since its certificate names none. */
  readonly isOfAnyNetwork?: boolean;
  readonly mayWrite: boolean;
  /** Whether a name, or everything below a prefix, is theirs to touch. */
  readonly owns: (name: string) => boolean;
};

/** What callers are judged by. */
export type ObjectCallersParts = {
  readonly store: AggregatorStore;
  readonly access: FleetAccess;
  /** Whether the aggregator speaks TLS; without it, it listens on loopback alone and asks nobody who they are. */
  readonly isTls: boolean;
};

/** Logins by password that are remembered, so that a restore of a thousand parts checks it once. */
const REMEMBERED_MAX = 100;

/**
 * Who asks for objects: a node by its certificate, for what lies below its own prefix; an admin of the console by name and
 * password, who reads everything and changes nothing; without TLS, whoever is on this machine.
 */
export class ObjectCallers {
  readonly #parts: ObjectCallersParts;
  /** Tokens of logins, by hash of what was presented. */
  readonly #logins = new Map<string, string>();

  constructor(parts: ObjectCallersParts) {
    this.#parts = parts;
  }

  /**
   * Judges a request.
   *
   * @param authorization the header's text
   * @throws FleetProblem `notLoggedIn`, `wrongCredentials`, `slowDown`, `busy`, `forbidden`
   */
  async judge(authorization: string | undefined, socket: Socket | undefined, address: string): Promise<ObjectCaller> {
    if (authorization !== undefined) return this.#judgePerson(authorization, address);
    const peer = socket && peerOf(socket);
    if (peer) return this.#judgeNode(peer);
    if (!this.#parts.isTls) return { name: "loopback", mayWrite: true, owns: (name) => name.startsWith("backup/") };
    throw new FleetProblem("notLoggedIn", "expected a node's certificate, or the name and password of an admin");
  }

  async #judgeNode({ serial, name }: PeerCertificate): Promise<ObjectCaller> {
    const issued = await this.#parts.store.enrolment.findCertificate(serial);
    if (issued?.status === "revoked") throw new FleetProblem("forbidden", `the certificate of ${name} was revoked`);
    const chainId = issued && parseHex(issued.network);
    if (chainId) {
      const prefix = nodePrefix(chainId, issued.node);
      return {
        name: issued.node,
        ref: { network: issued.network, node: issued.node },
        mayWrite: true,
        owns: (object) => object.startsWith(prefix),
      };
    }
    // An authority of the operator's names a node and no network.
    const own = new RegExp(`^backup/[0-9a-f]{16}/${nodeWord(name).replaceAll(".", "\\.")}/`);
    return { name, isOfAnyNetwork: true, mayWrite: true, owns: (object) => own.test(object) };
  }

  async #judgePerson(authorization: string, address: string): Promise<ObjectCaller> {
    const { access } = this.#parts;
    const encoded = /^Basic ([A-Za-z0-9+/=]{1,1024})$/.exec(authorization)?.[1];
    const [, name, password] = /^([^:]{1,64}):(.{1,256})$/s.exec(Buffer.from(encoded ?? "", "base64").toString("utf8")) ?? [];
    if (name === undefined || password === undefined)
      throw new FleetProblem("wrongCredentials", "expected the name and password of an admin");
    const key = toHex(sha256(utf8(authorization)));
    let login = await access.find(this.#logins.get(key));
    if (!login) {
      const made = await access.logIn(name, password, address);
      if (this.#logins.size >= REMEMBERED_MAX) this.#logins.clear();
      this.#logins.set(key, made.token);
      login = made;
    }
    if (login.role !== "admin") throw new FleetProblem("forbidden", "expected an admin, got a viewer");
    return { name, mayWrite: false, owns: (object) => object.startsWith("backup/") };
  }
}
