/**
 * Resolves with the reason at the first SIGINT or SIGTERM, or when standard input closes if asked to watch it.
 */
export function untilSignal(watchesInput = false): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  process.once("SIGINT", () => resolve("SIGINT"));
  process.once("SIGTERM", () => resolve("SIGTERM"));
  if (!watchesInput) return promise;
  process.stdin.on("end", () => resolve("parent gone"));
  process.stdin.on("error", () => resolve("parent gone"));
  process.stdin.resume();
  return promise.finally(() => {
    process.stdin.pause(); // or an open input would keep the process alive
    process.stdin.unref();
  });
}
