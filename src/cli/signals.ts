/**
 * Resolves with the reason at the first SIGINT or SIGTERM, or when standard input closes if asked to watch it.
 */
export function untilSignal(watchesInput = false): Promise<string> {
  return new Promise((resolve) => {
    process.once("SIGINT", () => resolve("SIGINT"));
    process.once("SIGTERM", () => resolve("SIGTERM"));
    if (!watchesInput) return;
    process.stdin.on("end", () => resolve("parent gone"));
    process.stdin.on("error", () => resolve("parent gone"));
    process.stdin.resume();
  });
}
