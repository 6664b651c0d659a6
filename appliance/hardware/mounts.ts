/** A mounted file system, by /proc/mounts. */
export type Mount = { readonly device: string; readonly point: string; readonly type: string; readonly isReadOnly: boolean };

/**
 * Reads /proc/mounts; blanks and others stand there as octal numbers.
 *
 * @see proc_pid_mounts(5), fstab(5)
 */
export function parseMounts(text: string): readonly Mount[] {
  return text.split("\n").flatMap((line) => {
    const [device, point, type, options] = line.split(" ").map(unescapeOctal);
    if (device === undefined || point === undefined || type === undefined || options === undefined) return [];
    return [{ device, point, type, isReadOnly: options.split(",").includes("ro") }];
  });
}

/** The file system that holds a path: the one mounted last at its longest prefix. */
export function mountOf(mounts: readonly Mount[], path: string): Mount | undefined {
  const holding = mounts.filter(({ point }) => path === point || path.startsWith(point === "/" ? "/" : `${point}/`));
  const longest = Math.max(...holding.map(({ point }) => point.length));
  return holding.findLast(({ point }) => point.length === longest);
}

/** Mount points of those of some paths that cannot be written to: a file system turns so by itself when its disk fails. */
export function readOnlyOf(mounts: readonly Mount[], paths: readonly string[]): readonly string[] {
  const points = paths.flatMap((path) => {
    const mount = mountOf(mounts, path);
    return mount?.isReadOnly === true ? [mount.point] : [];
  });
  return [...new Set(points)];
}

function unescapeOctal(word: string): string {
  return word.replace(/\\([0-7]{3})/g, (_all, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
