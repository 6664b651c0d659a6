/**
 * Resolves with the reason at the first SIGINT or SIGTERM, or when standard input closes if asked to watch it. Later signals
 * change nothing: with the listener gone, a second one would end the process in the middle of its orderly stop.
 *
 * @param asked another reason to end, if any: whoever ends for it waits here too, for an input that is still watched keeps the
 *   process alive
 */
export function untilSignal(watchesInput = false, asked?: Promise<string>): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  void asked?.then(resolve);
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
