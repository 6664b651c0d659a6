/**
 * Floor 5. Images of boxes: what a disk holds (layout/), what Debian brings (debian/), what we add to it (rootfs/, boot/), how
 * it is built (build.ts), checked (verify.ts), given its provision.json (provision.ts) and written to a disk (flash.ts).
 *
 * Invariants: building needs no root, no mount and no loop device; equal programs, packages and keys give an equal root hash;
 * no key is ever in the tree; a foreign file or disk is only ever written after it was looked at. Never runs on a box.
 */

/** Building. */
export { type BuildOrder, type BuiltImage, buildImage, filesOf, type ImageFiles } from "./build.ts";
/** Update bundles. */
export { type BundleVerdict, buildBundle, verifyBundle } from "./bundle.ts";
/** Lists of packages with exact versions. */
export { type PackageLock, parseLock } from "./debian/control.ts";
/** Where packages come from. */
export { findMirror, type Mirror } from "./debian/mirror.ts";
/** Kernels to choose from. */
export { KERNELS, type Kernel } from "./debian/package-sets.ts";
/** Writing an image to a disk. */
export { type FlashReport, flashImage } from "./flash.ts";
/** Processors and boards there are images for. */
export { ARCHITECTURES, type Architecture, BOARDS } from "./layout/partitions.ts";
/** What a signature covers. */
export { type ImageManifest, parseManifest } from "./manifest.ts";
/** provision.json in an image. */
export { provisionImage } from "./provision.ts";
/** What an image says of itself. */
export { type ImageIdentity, imageName, isVersion } from "./rootfs/identity.ts";
/** Keys by which a box's start is verified. */
export { openBootKeys } from "./signing/boot-keys.ts";
/** Signing keys. */
export { openKeys, type SigningKeys } from "./signing/keys.ts";
/** What stops a command of this folder. */
export { ImageFailure } from "./tools.ts";
/** Checking an image. */
export { type ImageCheck, type ImageVerdict, verifyImage } from "./verify.ts";
