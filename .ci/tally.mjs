/** What the stages of a run add up to. */

/**
 * @typedef {object} Tally
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 */

/** @param {readonly Tally[]} tallies @returns {Tally} */
export function sum(tallies) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, failed, skipped } of tallies) {
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
  }
  return total;
}

/** @param {Tally} tally @returns {string} the line that a run ends with */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/**
 * Reads the counts that `bun test` prints last. They are believed only when the whole set of files was run and the exit
 * code agrees: a test that calls process.exit(0), or a file that does not load, must not pass for success.
 *
 * @param {string} output what `bun test` printed, without colours
 * @param {boolean} exitedWell whether its exit code was 0
 * @param {number} fileCount how many test files it was given
 * @returns {{ tally: Tally, complaint: string | undefined }} a complaint comes with at least one failure
 */
export function readBunTestCounts(output, exitedWell, fileCount) {
  const summary = [
    ...output.matchAll(
      /((?:^ *\d+ (?:pass|skip|todo|fail|filtered out|errors?|snapshots?.*|expect\(\) calls)$\n)*)^Ran (\d+) tests? across (\d+) files?\./gm,
    ),
  ].at(-1);
  if (summary === undefined) {
    return { tally: { passed: 0, failed: 1, skipped: 0 }, complaint: "it ended before printing its counts; does a test end the process?" };
  }
  /** @param {string} word */
  const countOf = (word) => Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(summary[1] ?? "")?.[1] ?? 0);
  const tally = { passed: countOf("pass"), failed: countOf("fail"), skipped: countOf("skip") + countOf("todo") };
  const ranFiles = Number(summary[3]);
  /** @type {string | undefined} */
  let complaint;
  if (ranFiles !== fileCount) complaint = `it ran ${ranFiles} of ${fileCount} test files`;
  else if (tally.passed + tally.failed + tally.skipped === 0) complaint = "it found test files, but no test in them";
  else if (tally.failed > 0 === exitedWell) complaint = "its exit code does not agree with its counts";
  if (complaint !== undefined && tally.failed === 0) tally.failed = 1;
  return { tally, complaint };
}

/**
 * What the tests of a file said themselves.
 *
 * @param {string} output what `bun test` printed for one file that passed
 * @returns {string} without its heading and its counts, trimmed
 */
export function withoutCounts(output) {
  const lines = output
    .split("\n")
    .filter(
      (line) =>
        !/^bun test v|^test\/.*:$|^ *\d+ (?:pass|skip|todo|fail|filtered out|snapshots?.*|expect\(\) calls)$|^Ran \d+ tests? across/.test(
          line,
        ),
    );
  return lines.join("\n").trim();
}
