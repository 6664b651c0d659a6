/**
 * Whether a browser's page may open a WebSocket here. Every page on the web can reach what listens on a visitor's own
 * machine, and would come from loopback; so a page must come from this machine itself, from the address that was dialled
 * (written as digits: a name can be made to point anywhere), or be listed. A client that is no browser sends no Origin.
 *
 * @param origin the request's Origin header
 * @param host the request's Host header
 * @param listed origins of the configuration, e.g. `https://plant.example`
 * @see RFC 6455 section 10.2
 */
export function isOriginAllowed(origin: string | null, host: string | null, listed: readonly string[]): boolean {
  if (origin === null) return true;
  if (listed.includes(origin)) return true;
  const page = URL.parse(origin);
  if (!page) return false;
  const name = page.hostname;
  if (name === "localhost" || name === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name)) return true;
  const dialled = URL.parse(`ws://${host ?? ""}`)?.hostname;
  return dialled === name && /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:]+\])$/.test(name);
}
