import type { ProvisionDocument } from "./document.ts";

const HEAD = "# Written from provision.json; changes here are overwritten by the next one.\n";

/**
 * The system's settings that a plan stands for, by path below the folder of settings; undefined: there is no such file.
 *
 * @see systemd.network(5), timesyncd.conf(5), hostname(5), sshd(8)
 */
export function systemFilesOf({ hostname, network, ntp, ssh, update }: ProvisionDocument): Readonly<Record<string, string | undefined>> {
  return {
    "systemd/network/10-bizra.network": network && networkFile(network),
    "systemd/timesyncd.conf.d/10-bizra.conf": ntp && `${HEAD}[Time]\nNTP=${ntp.join(" ")}\n`,
    "ssh/authorized_keys": ssh && `${ssh.keys.join("\n")}\n`,
    "update.json": update && `${JSON.stringify({ channel: "stable", ...update })}\n`,
    hostname: `${hostname}\n`, // last: its change tells the system that there is something to apply
  };
}

function networkFile({ method, interface: name, address, gateway, dns = [] }: NonNullable<ProvisionDocument["network"]>): string {
  const match = name === undefined ? "Type=ether\nKind=!*" : `Name=${name}`;
  const own =
    method === "dhcp" ? ["DHCP=yes"] : [`Address=${address}`, ...(gateway === undefined ? [] : [`Gateway=${gateway}`]), "DHCP=no"];
  const lines = [...own, ...dns.map((server) => `DNS=${server}`), "MulticastDNS=yes", "IPv6PrivacyExtensions=no"];
  return `${HEAD}[Match]\n${match}\n\n[Network]\n${lines.join("\n")}\n`;
}
