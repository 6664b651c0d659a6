import { isJson, type Json, wideIn } from "../../device/index.ts";
import { err, ok, parseHex, type Result } from "../../kernel/index.ts";

/** What the node that served the page says of itself; claims, none of them is trusted for a verdict. */
export type NodeTerms = { readonly genesisHash: Uint8Array; readonly height: bigint; readonly minimumFee: bigint };

/** What the node says of an account. */
export type AccountTerms = { readonly balance: bigint; readonly pendingNonce: bigint };

/** Why the node that served the page told nothing, as a sentence. */
export type ReadFault = string;

/** An address that a browser can dial and whose node it can recognise. */
const WEB_RTC_DIRECT = /\/webrtc-direct\/certhash\/[^/]+\/p2p\/[^/]+$/;

/** Reads over HTTP from the node that served this page: what a sender must know before it can sign and dial. */
export class NodeReads {
  readonly #fetch: (path: string) => Promise<Response>;

  /** @param fetchPath fetches a path of the node */
  constructor(fetchPath: (path: string) => Promise<Response>) {
    this.#fetch = fetchPath;
  }

  /** The genesis document as text. */
  async genesis(): Promise<Result<string, ReadFault>> {
    return this.#text("/api/v2/genesis");
  }

  /** The chain's terms now. */
  async terms(): Promise<Result<NodeTerms, ReadFault>> {
    const json = await this.#json("/api/v2/status");
    if (!json.ok) return json;
    const genesisHash = parseHex(String(json.value["genesisHash"]));
    const height = wideIn(json.value, "height");
    const minimumFee = wideIn(json.value, "minimumFee");
    if (genesisHash?.length !== 32 || height === undefined || minimumFee === undefined) return err(strange("/api/v2/status"));
    return ok({ genesisHash, height, minimumFee });
  }

  /** An account's balance and next free nonce. */
  async account(address: string): Promise<Result<AccountTerms, ReadFault>> {
    const path = `/api/v2/accounts/${address}`;
    const json = await this.#json(path);
    if (!json.ok) return json;
    const balance = wideIn(json.value, "balance");
    const pendingNonce = wideIn(json.value, "pendingNonce");
    return balance === undefined || pendingNonce === undefined ? err(strange(path)) : ok({ balance, pendingNonce });
  }

  /**
   * The node's webrtc-direct address, with its certificate's hash and its peer id: the one on the host that served the
   * page where there is one, for that is known to be reached from here.
   *
   * @param hostname of the page's own address
   */
  async webRtcAddress(hostname: string): Promise<Result<string, ReadFault>> {
    const json = await this.#json("/api/v2/peers");
    if (!json.ok) return json;
    const { addresses } = json.value;
    const dialled = (Array.isArray(addresses) ? addresses.map(String) : []).filter((text) => WEB_RTC_DIRECT.test(text));
    const found = dialled.find((text) => text.includes(`/${hostname === "localhost" ? "127.0.0.1" : hostname}/`)) ?? dialled[0];
    if (found !== undefined) return ok(found);
    return err("This node does not speak WebRTC. Its operator can set network.webRtcPort in node.toml and restart it.");
  }

  async #json(path: string): Promise<Result<Json, ReadFault>> {
    const text = await this.#text(path);
    if (!text.ok) return text;
    try {
      const json: unknown = JSON.parse(text.value);
      return isJson(json) ? ok(json) : err(strange(path));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error; // how JSON.parse reports malformed text
      return err(strange(path));
    }
  }

  async #text(path: string): Promise<Result<string, ReadFault>> {
    try {
      const response = await this.#fetch(path);
      if (response.ok) return ok(await response.text());
      return err(`The node answered ${path} with status ${response.status}. Try again in a moment.`);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // how fetch reports that nothing answered
      return err("The node that served this page does not answer any more. Is it still running?");
    }
  }
}

function strange(path: string): ReadFault {
  return `The node answered ${path} with something that this page does not understand. Page and node are of different versions: reload the page.`;
}
