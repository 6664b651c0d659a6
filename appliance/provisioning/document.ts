import { err, ok, type Result } from "../../src/kernel/index.ts";
import { isAddress, isHostName, isOnLink, parseCidr } from "./address.ts";
import { choiceField, type Field, faultOf, listField, objectField, optional, textField } from "./field.ts";
import { readJson } from "./json-reader.ts";
import { textOf } from "./text-of.ts";

/** Version of provision.json. */
export const PROVISION_SCHEMA = 1;

/** How a box gets its address. */
export type NetworkPlan = {
  readonly method: "dhcp" | "static";
  /** Name of the interface as the kernel has it; absent: every wired one. */
  readonly interface?: string;
  /** With `static`: address and prefix, e.g. 192.168.1.20/24. */
  readonly address?: string;
  readonly gateway?: string;
  readonly dns?: readonly string[];
};

/** What an operator wants a box to be: provision.json, judged. */
export type ProvisionDocument = {
  readonly schema: typeof PROVISION_SCHEMA;
  readonly hostname: string;
  readonly network?: NetworkPlan;
  /** Time servers; absent: those of the image. */
  readonly ntp?: readonly string[];
  readonly aggregator?: AggregatorPlan;
  /** The one-use token that an aggregator's claim gave; there when `aggregator` is and the box is not enrolled there. */
  readonly token?: string;
  readonly chain: ChainPlan;
  readonly ssh?: { readonly keys: readonly string[] };
  readonly update?: UpdatePlan;
};

/** Where a box brings its events. */
export type AggregatorPlan = {
  /** https://host:port, without a path. */
  readonly url: string;
  /** SHA-256 of the authority's certificate, 64 lower-case hex digits. */
  readonly caPin: string;
};

/** The chain that a box belongs to. */
export type ChainPlan = {
  /** Hash of the genesis document, 64 lower-case hex digits. */
  readonly genesis: string;
  readonly role: "validator" | "observer";
  /** Nodes to stay connected to, as `network.peers` of node.toml takes them. */
  readonly peers?: readonly string[];
};

/** Which releases a box takes, and when. */
export type UpdatePlan = {
  readonly channel?: "stable" | "beta" | "none";
  /** Hours of the day in UTC, e.g. 02:00-05:00; it may go over midnight. */
  readonly window?: string;
  /** Folder of the channels on a web server; absent: the aggregator's. */
  readonly url?: string;
};

/** Bytes of provision.json. */
export const DOCUMENT_BYTES_MAX = 65_536;

const hex32 = (of: string): Field<string> =>
  textField({ expected: `${of}: 64 hex digits` }, (text) => {
    const bare = text.replaceAll(":", "").toLowerCase();
    return /^[0-9a-f]{64}$/.test(bare) ? bare : undefined;
  });

const hostName: Field<string> = textField(
  { expected: "a host name such as mill-7: 1 to 63 lower-case letters, digits and inner hyphens" },
  (text) => (/^(?!-)[a-z0-9-]{1,63}(?<!-)$/.test(text) && /[a-z]/.test(text) ? text : undefined),
);

const server = (of: string): Field<string> =>
  textField({ expected: `${of}: a host name or an IP address` }, (text) => (isHostName(text) || isAddress(text) ? text : undefined));

const ipAddress: Field<string> = textField({ expected: "an IP address such as 192.168.1.1" }, (text) =>
  isAddress(text) ? text : undefined,
);

const network = objectField<NetworkPlan>("network", {
  method: choiceField(["dhcp", "static"]),
  interface: optional(
    textField({ expected: "the name of an interface such as eth0" }, (text) => (/^[A-Za-z0-9_.-]{1,15}$/.test(text) ? text : undefined)),
  ),
  address: optional(
    textField({ expected: "an address of a host with its prefix, such as 192.168.1.20/24" }, (text) =>
      parseCidr(text) ? text : undefined,
    ),
  ),
  gateway: optional(ipAddress),
  dns: optional(listField(ipAddress, { min: 1, max: 4, of: "IP addresses" })),
});

const wellPlannedNetwork: Field<NetworkPlan> = (value, path, faults) => {
  const plan = network(value, path, faults);
  if (!plan) return undefined;
  const before = faults.length;
  const { method, address, gateway } = plan;
  if (method === "static" && address === undefined)
    faults.push(`${path}.address: expected an address such as 192.168.1.20/24, since ${path}.method is "static", got nothing.`);
  for (const name of ["address", "gateway"] as const)
    if (method === "dhcp" && plan[name] !== undefined)
      faults.push(
        `${path}.${name}: expected no ${name}, since ${path}.method is "dhcp" and the network gives it; remove it, or set method to "static".`,
      );
  const own = address === undefined ? undefined : parseCidr(address);
  if (method === "static" && own && gateway !== undefined && !isOnLink(own, gateway))
    faults.push(`${path}.gateway: expected an address of the network of ${address}, got "${gateway}".`);
  if (method === "static" && own && gateway === own.address)
    faults.push(`${path}.gateway: expected the router's address, got the box's own, "${gateway}".`);
  return faults.length === before ? plan : undefined;
};

const url = textField({ expected: "https://host:port of the aggregator, without a path" }, (text) => {
  const bare = text.replace(/\/$/, "");
  return /^https:\/\/[^\s@,/?#"\\]{1,255}$/.test(bare) && URL.canParse(bare) ? bare : undefined;
});

/** A token is what `bizra aggregator claim` printed; its form is the aggregator's, so only what no token has is refused. */
const token = textField({ expected: "the token that `bizra aggregator claim` printed, whole", isSecret: true }, (text) =>
  /^[A-Za-z0-9_.-]{20,256}$/.test(text) ? text : undefined,
);

const peer = textField({ expected: "host:port, KEY@host:port or a multiaddr" }, (text) =>
  /^(?:(?:[0-9A-Fa-f]{64}@)?[^\s,"@]{1,255}:\d{1,5}|\/[^\s,"]{1,511})$/.test(text) ? text : undefined,
);

const sshKey: Field<string> = (value, path, faults) => {
  if (typeof value === "string" && value.includes("PRIVATE KEY")) {
    faults.push(
      `${path}: expected a public key, got a private one; remove it from this file and take the line of the .pub file beside it.`,
    );
    return undefined;
  }
  const isKey =
    typeof value === "string" &&
    /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com) [A-Za-z0-9+/]{40,1400}={0,2}( [\x21-\x7e]{1,128})?$/.test(
      value,
    );
  if (!isKey) faults.push(faultOf(value, path, { expected: "a public key in one line, such as ssh-ed25519 AAAA... name" }));
  return isKey ? value : undefined;
};

const timeOfDay = "(?:[01]\\d|2[0-3]):[0-5]\\d";
const window = textField({ expected: "hours of the day in UTC such as 02:00-05:00, not of length zero" }, (text) => {
  const [, from, to] = new RegExp(`^(${timeOfDay})-(${timeOfDay})$`).exec(text) ?? [];
  return from !== undefined && from !== to ? text : undefined;
});

const folderUrl = textField({ expected: "the URL of a folder such as https://releases.example/bizra" }, (text) =>
  /^https?:\/\/[^\s@?#"\\]{1,1000}$/.test(text) && URL.canParse(text) ? text : undefined,
);

const document = objectField<ProvisionDocument>("provision.json", {
  schema: choiceField([PROVISION_SCHEMA]),
  hostname: hostName,
  network: optional(wellPlannedNetwork),
  ntp: optional(listField(server("a time server"), { min: 1, max: 4, of: "time servers" })),
  aggregator: optional(objectField<AggregatorPlan>("aggregator", { url, caPin: hex32("the fingerprint of the aggregator's authority") })),
  token: optional(token),
  chain: objectField<ChainPlan>("chain", {
    genesis: hex32("the hash of the genesis document"),
    role: choiceField(["validator", "observer"]),
    peers: optional(listField(peer, { min: 1, max: 256, of: "peers" })),
  }),
  ssh: optional(
    objectField<NonNullable<ProvisionDocument["ssh"]>>("ssh", { keys: listField(sshKey, { min: 1, max: 16, of: "public keys" }) }),
  ),
  update: optional(
    objectField<UpdatePlan>("update", {
      channel: optional(choiceField(["stable", "beta", "none"])),
      window: optional(window),
      url: optional(folderUrl),
    }),
  ),
});

/**
 * Judges a provision.json. Errors: every mistake found, each as a sentence in printable ASCII that names the field and
 * what is right; a secret is never in it.
 *
 * @param enrolledAt the aggregator that the box is enrolled at, for which no token is needed
 */
export function parseProvision(bytes: Uint8Array, enrolledAt?: string): Result<ProvisionDocument, readonly string[]> {
  if (bytes.length > DOCUMENT_BYTES_MAX)
    return err([`provision.json: expected at most ${DOCUMENT_BYTES_MAX} bytes, got ${bytes.length}; is this the right file?`]);
  const text = textOf(bytes);
  if (!text.ok) return err([text.error]);
  const json = readJson(text.value);
  if (!json.ok) return err([`provision.json, line ${json.error.line}, column ${json.error.column}: ${json.error.sentence}.`]);
  const faults: string[] = [];
  const judged = document(json.value, "", faults);
  if (json.value instanceof Map) {
    const [hasAggregator, hasToken] = [json.value.has("aggregator"), json.value.has("token")];
    if (hasAggregator && !hasToken && (judged === undefined || judged.aggregator?.url !== enrolledAt))
      faults.push(
        "token: expected the token that `bizra aggregator claim` printed, since there is an aggregator, got nothing; the field is missing.",
      );
    if (hasToken && !hasAggregator)
      faults.push('aggregator: expected { "url": ..., "caPin": ... }, since there is a token for it, got nothing; the field is missing.');
  }
  return judged && faults.length === 0 ? ok(judged) : err(faults);
}
