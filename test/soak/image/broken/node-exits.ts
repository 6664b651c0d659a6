/** The program of a broken release: its main process works, and the node below it ends at once. */
if (process.argv[2] === "node") {
  console.error("this release's node is broken");
  process.exitCode = 1;
} else await import("../../../../src/main.ts");

export {};
