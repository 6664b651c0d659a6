import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { folderObjects, type ObjectStorePort } from "../../sync/restore/index.ts";

/** The object store that a setting or flag names: a folder, also as file:// URL, relative to a base folder. */
export function openObjects(place: string, base: string): ObjectStorePort {
  return folderObjects(place.startsWith("file://") ? fileURLToPath(place) : resolve(base, place));
}
