import { expect, test } from "bun:test";
import { judgeSeed } from "../sim/index.ts";
import { bizra, lastJson } from "./support/bizra.ts";

const LIMIT_MS = 120_000;

test(
  "bizra sim: seeds spread over two processes of the binary, give the verdicts that one other process gives",
  async () => {
    const { code, out } = await bizra("sim", "--seed", "6", "--runs", "6", "--jobs", "2", "--lines", "--json");
    const lines = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const verdicts = lines.slice(0, -1).sort((a, b) => Number(a["seed"]) - Number(b["seed"]));
    expect(verdicts).toEqual([6, 7, 8, 9, 10, 11].map((seed) => ({ ...judgeSeed(seed) })));
    const figures = lastJson(out);
    expect(Object.keys(figures)).toEqual(["seed", "runs", "events", "crashes", "simulatedMs", "violations", "notLive"]);
    expect([code, figures["seed"], figures["runs"], figures["violations"], figures["notLive"]]).toEqual([0, 6, 6, 0, 0]);
  },
  LIMIT_MS,
);

test(
  "bizra sim: one seed of a named plan, twice with equal traces",
  async () => {
    const { code, out } = await bizra("sim", "--seed", "3", "--runs", "1", "--plan", "equivocators", "--twice", "--json");
    expect([code, lastJson(out)["violations"]]).toEqual([0, 0]);
  },
  LIMIT_MS,
);

test("bizra sim: a plan, a share or a table that does not exist, is wrong usage", async () => {
  for (const words of [
    ["--plan", "none"],
    ["--share", "2/2"],
    ["--table", "none"],
    ["--runs", "0"],
  ]) {
    const { code, err } = await bizra("sim", ...words);
    expect([words, code]).toEqual([words, 2]);
    expect(err).toContain("expected");
  }
});
