declare const BIZRA_NEXT: boolean | undefined;

/**
 * Whether this program was built as the release after this one (`bun .ci/build.ts --next`), which knows one version more of
 * everything that has versions. No switch at run time makes it so: tests of upgrades run two programs.
 */
export const IS_NEXT_RELEASE: boolean = typeof BIZRA_NEXT === "boolean" && BIZRA_NEXT;

/** Versions of a format or protocol that one program knows, the newest last. */
export type KnownVersions = { readonly min: number; readonly max: number };

/**
 * Block versions that this program reads, writes and executes. The chain says which one an epoch's blocks have: 1, or the
 * highest N whose feature `block-N` is on.
 *
 * @see docs/upgrades.md
 */
export const BLOCK_VERSIONS: KnownVersions = { min: 1, max: IS_NEXT_RELEASE ? 2 : 1 };

/** What a release speaks, moved on by one in the program built as the next: then the oldest is let go. */
export function versionsOfRelease({ max, min }: KnownVersions): KnownVersions {
  return IS_NEXT_RELEASE ? { min: max, max: max + 1 } : { min, max };
}
