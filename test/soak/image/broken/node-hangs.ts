/** The program of a broken release: its main process works, and the node below it says nothing and does nothing. */
if (process.argv[2] === "node") setInterval(() => undefined, 60_000);
else await import("../../../../src/main.ts");

export {};
