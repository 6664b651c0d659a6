/**
 * Resolves with the reason at the first SIGINT or SIGTERM, or when standard input closes if asked to watch it. Later signals
 * change nothing: with the listener gone, a second one would end the process in the middle of its orderly stop.
 */
export function untilSignal(watchesInput = false): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  process.on("SIGINT", () => resolve("SIGINT"));
  process.on("SIGTERM", () => resolve("SIGTERM"));
  if (!watchesInput) return promise;
  process.stdin.on("end", () => resolve("parent gone"));
  process.stdin.on("error", () => resolve("parent gone"));
  process.stdin.resume();
  return promise.finally(() => {
    process.stdin.pause(); // or an open input would keep the process alive
    process.stdin.unref();
  });
}
