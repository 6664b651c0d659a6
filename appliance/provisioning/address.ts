import { isIP, isIPv4 } from "node:net";

/** An address with the length of its network's prefix, as `192.168.1.20/24`. */
export type Cidr = { readonly address: string; readonly prefix: number };

/** Reads `ADDRESS/PREFIX` of an IPv4 or IPv6 host; undefined when it is none, or the network itself or its broadcast address. */
export function parseCidr(text: string): Cidr | undefined {
  const [, address = "", digits = ""] = /^([0-9a-fA-F.:]+)\/(\d{1,3})$/.exec(text) ?? [];
  const prefix = Number(digits);
  const version = isIP(address);
  if (version === 0 || prefix < 1 || prefix > (version === 4 ? 32 : 128)) return undefined;
  if (version === 6) return { address, prefix };
  const host = numberOf(address) & hostMask(prefix);
  const isWhole = host === 0 || host === hostMask(prefix);
  return isWhole && prefix < 31 ? undefined : { address, prefix };
}

/** Whether an address can be reached on the link itself; IPv6 routers are often known by a link-local address, so any is taken. */
export function isOnLink({ address, prefix }: Cidr, other: string): boolean {
  if (isIP(address) !== isIP(other)) return false;
  if (!isIPv4(address)) return true;
  const mask = ~hostMask(prefix);
  return (numberOf(address) & mask) === (numberOf(other) & mask);
}

/** Whether a text is an IPv4 or IPv6 address. */
export function isAddress(text: string): boolean {
  return isIP(text) !== 0;
}

/** Whether a text is a host name by RFC 1123: labels of letters, digits and inner hyphens. */
export function isHostName(text: string): boolean {
  return text.length <= 253 && /^(?!-)[a-zA-Z0-9-]{1,63}(?<!-)(\.(?!-)[a-zA-Z0-9-]{1,63}(?<!-))*$/.test(text) && !/^[\d.]+$/.test(text);
}

function numberOf(address: string): number {
  return address.split(".").reduce((sum, part) => (sum << 8) | Number(part), 0);
}

function hostMask(prefix: number): number {
  return prefix === 32 ? 0 : -1 >>> prefix;
}
