/** Versions of the interface, by the first segments of the path. */
type ApiVersion = "v1" | "v2" | "v3";

/** When v1 was deprecated: 2026-11-01T00:00:00Z, in seconds since the Unix epoch. */
const V1_DEPRECATED_AT = 1_793_491_200;
/** When v1 stops being served: 2027-11-01T00:00:00Z. */
const V1_SUNSET = "Mon, 01 Nov 2027 00:00:00 GMT";

/** The version a path belongs to, or undefined for routes outside /api. */
function findVersion(path: string): ApiVersion | undefined {
  const version = /^\/api\/(v[123])(?:\/|$)/.exec(path)?.[1];
  return version === "v1" || version === "v2" || version === "v3" ? version : undefined;
}

/**
 * Headers that mark a version's standing on every answer below its path, refusals included.
 *
 * @see RFC 9745 Deprecation, RFC 8594 Sunset
 */
export function versionHeaders(path: string): Readonly<Record<string, string>> {
  switch (findVersion(path)) {
    case "v1":
      return {
        deprecation: `@${V1_DEPRECATED_AT}`,
        sunset: V1_SUNSET,
        link: `<${path.replace("/api/v1", "/api/v2")}>; rel="successor-version", </openapi.json>; rel="service-desc"`,
      };
    case "v3":
      return { "x-api-stability": "beta" };
    default:
      return {};
  }
}
