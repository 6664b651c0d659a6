/** The program of a broken release: ends at once, whatever it is asked to do. */
console.error("this release is broken");
process.exitCode = 1;
