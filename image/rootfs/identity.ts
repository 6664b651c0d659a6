import type { Kernel } from "../debian/package-sets.ts";
import type { Architecture, Board } from "../layout/partitions.ts";

/** Who signed an image: a development key, which anybody can make, or a key that a maker keeps. */
export type Variant = "development" | "release";

/** What an image says of itself. */
export type ImageIdentity = {
  readonly version: string;
  readonly architecture: Architecture;
  readonly kernel: Kernel;
  /** Absent: any machine with UEFI. */
  readonly board?: Board | undefined;
  readonly variant: Variant;
  /** Whether whoever runs it in a virtual machine is root on it; development images only. */
  readonly hasDebugShell?: true | undefined;
};

/**
 * The word by which a box knows bundles that are meant for it. It holds all that must not be mixed up: another processor
 * or board, another kernel's drivers, a development build on a box in the field, and one with a way in for trials anywhere else.
 */
export function compatibleOf({ architecture, kernel, board, variant, hasDebugShell }: ImageIdentity): string {
  const kind = [...(variant === "development" ? ["development"] : []), ...(hasDebugShell === true ? ["debug"] : [])];
  return ["bizra", architecture, board ?? kernel, ...kind].join("-");
}

/** Name of the files of an image, without their endings. */
export function imageName(identity: ImageIdentity): string {
  return `${compatibleOf(identity)}-${identity.version}`;
}

/** Whether a version can be ordered and be part of a file's name: 1.2.3 or 1.2.3-next. */
export function isVersion(text: string): boolean {
  return /^[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}(-[a-z0-9.]{1,32})?$/.test(text);
}
