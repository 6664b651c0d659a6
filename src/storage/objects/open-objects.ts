import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Entropy, err, ok, type Result } from "../../kernel/index.ts";
import { FileObjects } from "./file-objects.ts";
import { type HttpCredentials, HttpObjects } from "./http-objects.ts";
import type { ObjectStore } from "./object-store.ts";
import { S3Objects } from "./s3-objects.ts";

/** What opening objects takes beside their address. */
export type ObjectsAccess = {
  /** Where a folder that is not absolute begins. */
  readonly base: string;
  readonly entropy: Entropy;
  /** KEY:SECRET of S3, NAME:PASSWORD at an aggregator; undefined: what the address itself says, if anything. */
  readonly credentials?: string | undefined;
  /** PEM texts for an aggregator, asked for at each request. */
  readonly tls?: () => NonNullable<HttpCredentials["tls"]>;
};

/** The addresses that `openObjects` takes, in words. */
const OBJECTS_EXPECTED = "a folder, s3://bucket/prefix?endpoint=URL&region=NAME, or an aggregator as https://host:port";

/**
 * Opens the objects that an address names: a folder, also as file:///folder; s3://bucket/prefix?endpoint=URL&region=NAME; an
 * aggregator as https://host:port, or http://host:port on loopback.
 *
 * Errors: a sentence for people, which never holds a credential.
 */
export function openObjects(place: string, access: ObjectsAccess): Result<ObjectStore, { readonly detail: string }> {
  if (place === "") return err({ detail: `expected ${OBJECTS_EXPECTED}, got nothing` });
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(place)) return ok(new FileObjects(resolve(access.base, place), access.entropy));
  const url = URL.parse(place);
  if (url?.protocol === "file:" && url.hostname === "") return ok(new FileObjects(fileURLToPath(url), access.entropy));
  if (url?.protocol === "s3:") return openS3(url, access);
  if (url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname))) return openHttp(url, access);
  return err({ detail: `expected ${OBJECTS_EXPECTED}; http:// only on loopback` });
}

function openS3(url: URL, access: ObjectsAccess): Result<ObjectStore, { readonly detail: string }> {
  const given = credentialsOf(url, access);
  const endpoint = url.searchParams.get("endpoint");
  const isKnown = [...url.searchParams.keys()].every((name) => name === "endpoint" || name === "region");
  if (url.hostname === "" || !isKnown || (endpoint !== null && !/^https?:\/\/[^@]+$/.test(endpoint)))
    return err({ detail: "expected s3://bucket/prefix?endpoint=https://host&region=NAME" });
  if (!given) return err({ detail: "expected the credentials of S3 as KEY:SECRET" });
  return ok(new S3Objects(url, { key: given[0], secret: given[1] }));
}

function openHttp(url: URL, access: ObjectsAccess): Result<ObjectStore, { readonly detail: string }> {
  if (!/^\/?$/.test(url.pathname) || url.search !== "") return err({ detail: "expected an aggregator as https://host:port" });
  const given = credentialsOf(url, access);
  const user = given && { user: { name: given[0], password: given[1] } };
  return ok(new HttpObjects(url, () => ({ ...user, ...(access.tls && { tls: access.tls() }) })));
}

function credentialsOf(url: URL, { credentials }: ObjectsAccess): readonly [string, string] | undefined {
  if (url.username !== "" && url.password !== "") return [decodeURIComponent(url.username), decodeURIComponent(url.password)];
  const [, name, secret] = /^([^:\s]+):(\S.*)$/.exec(credentials?.trim() ?? "") ?? [];
  return name === undefined || secret === undefined ? undefined : [name, secret];
}

function isLoopback(host: string): boolean {
  return host === "127.0.0.1" || host === "[::1]" || host === "localhost";
}
