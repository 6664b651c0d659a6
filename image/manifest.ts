import { z } from "zod";
import { err, ok, type Result } from "../src/kernel/index.ts";
import { KERNELS } from "./debian/package-sets.ts";
import { ARCHITECTURES, BOARDS } from "./layout/partitions.ts";
import { isVersion } from "./rootfs/identity.ts";

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const bytes = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** Whether a partition must stay as it was built, or is written once a box is provisioned or runs. */
const PARTITION_USES = ["fixed", "written"] as const;

/**
 * What the signature of an image covers: every partition by its hash, the root by its verity table, and what the image is.
 * Unknown fields are refused, since whoever reads them may decide by them.
 */
const manifestSchema = z.strictObject({
  schema: z.literal(1),
  name: z.string().min(1).max(200),
  version: z.string().refine(isVersion),
  architecture: z.enum(ARCHITECTURES),
  kernel: z.enum(KERNELS),
  board: z.enum(BOARDS).optional(),
  variant: z.enum(["development", "release"]),
  /** There and true when whoever runs it in a virtual machine is root on it. */
  hasDebugShell: z.literal(true).optional(),
  compatible: z.string().min(1).max(200),
  node: z.strictObject({ version: z.string().min(1).max(100), sha256: hash }),
  verity: z.strictObject({ blocks: z.number().int().min(1), rootHash: hash, salt: hash }),
  slot: z.strictObject({ rootSha256: hash, bootSha256: hash, rootBytes: bytes, bootBytes: bytes }),
  /** Certificate for firmware's db, and the public key in the boot loader, DER in base64: by these the files of the start are signed. */
  secureBoot: z.strictObject({ certificate: z.base64().max(8_000), bootKey: z.base64().max(2_000) }),
  packagesSha256: hash,
  materialsSha256: hash,
  diskBytes: bytes,
  partitions: z.array(
    z.strictObject({
      label: z.string().min(1).max(36),
      offsetBytes: bytes,
      sizeBytes: bytes,
      use: z.enum(PARTITION_USES),
      /** Of the whole partition as built, holes as zeros. */
      sha256: hash,
    }),
  ),
  /** Partitions that equal packages, program, version and keys give again, byte by byte. */
  reproducible: z.array(z.string().min(1).max(36)),
});

/** An image's manifest. */
export type ImageManifest = Readonly<z.infer<typeof manifestSchema>>;

/** Reads a manifest. */
export function parseManifest(text: string): Result<ImageManifest, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return err("the manifest is no JSON");
  }
  const parsed = manifestSchema.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  const issue = parsed.error.issues[0];
  return err(`the manifest's ${issue?.path.join(".") || "document"}: ${issue?.message ?? "is not as expected"}`);
}

/** Writes a manifest; equal manifests give equal texts. */
export function formatManifest(manifest: ImageManifest): string {
  return `${JSON.stringify(manifest, null, 1)}\n`;
}

/** Partitions that only provisioning and a running box write. */
export const WRITTEN_PARTITIONS: ReadonlySet<string> = new Set(["bootstate", "PROVISION", "signstate", "data"]);
