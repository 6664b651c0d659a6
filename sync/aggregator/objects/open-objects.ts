import { fileURLToPath } from "node:url";
import { type Entropy, err, ok, type Result } from "../../../src/kernel/index.ts";
import type { ObjectStore } from "../types.ts";
import { FileObjects } from "./file-objects.ts";
import { S3Objects } from "./s3-objects.ts";

/** Opens the objects that a URL names: `file:///folder` or `s3://bucket/prefix`. */
export function openObjects(text: string, entropy: Entropy): Result<ObjectStore, { readonly detail: string }> {
  const url = URL.parse(text);
  if (url?.protocol === "file:") return ok(new FileObjects(fileURLToPath(url), entropy));
  if (url?.protocol !== "s3:" || url.hostname === "")
    return err({ detail: "expected the objects as file:///folder or s3://bucket/prefix?endpoint=URL" });
  if (url.username === "" || url.password === "") return err({ detail: "expected s3://KEY:SECRET@bucket, given in the environment" });
  return ok(new S3Objects(url));
}
