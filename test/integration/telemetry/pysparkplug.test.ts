/** The edge node's payloads through a decoder of another language and author: pysparkplug from PyPI, where that can be reached. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodeBirth, nodeData, nodeDeath, type OutletMessage } from "../../../appliance/telemetry/index.ts";
import { reportOf, sampleOf } from "../../unit/telemetry/telemetry-fixture.ts";

const PACKAGE = "pysparkplug==0.6.1";
const INSTALL_LIMIT_MS = 60_000;
const folder = mkdtempSync(join(tmpdir(), "bizra-pysparkplug-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The Python of a virtual environment with the package, or why there is none. */
async function prepare(): Promise<{ readonly python: string } | { readonly reason: string }> {
  if (Bun.which("python3") === null) return { reason: "no python3 here" };
  const environment = join(folder, "venv");
  const steps = [
    ["python3", "-m", "venv", environment],
    [join(environment, "bin/pip"), "install", "--quiet", "--disable-pip-version-check", PACKAGE],
  ];
  for (const words of steps) {
    const { exitCode, stderr } = Bun.spawnSync(words, { stdout: "ignore", stderr: "pipe", timeout: INSTALL_LIMIT_MS });
    if (exitCode !== 0) return { reason: `${words.slice(-1)} cannot be had: ${stderr.toString().trim().slice(-200)}` };
  }
  return { python: join(environment, "bin/python") };
}

const prepared = await prepare();
if ("reason" in prepared) console.warn(`SKIPPED pysparkplug: ${prepared.reason}`);

/** What the package says of a payload, by its class for the kind of message. */
const SCRIPT = `
import json, sys
import pysparkplug as psp
kind = {"NBIRTH": psp.NBirth, "NDATA": psp.NData, "NDEATH": psp.NDeath}[sys.argv[1]]
payload = kind.decode(open(sys.argv[2], "rb").read())
metrics = getattr(payload, "metrics", None) or ()
print(json.dumps({
  "class": type(payload).__name__,
  "seq": getattr(payload, "seq", None),
  "bdSeq": getattr(getattr(payload, "bd_seq_metric", None), "value", None),
  "metrics": [[m.name, None if m.datatype is None else m.datatype.name, m.value, m.alias, bool(m.is_historical)] for m in metrics],
}))
`;

type Told = {
  readonly class: string;
  readonly seq: number | null;
  readonly metrics: [string | null, string | null, unknown, number | null, boolean][];
};

function decodedByPython(kind: string, message: OutletMessage): Told {
  const path = join(folder, kind);
  writeFileSync(path, message.payload);
  const words = ["python" in prepared ? prepared.python : "python3", "-c", SCRIPT, kind, path];
  const { exitCode, stdout, stderr } = Bun.spawnSync(words, { stdout: "pipe", stderr: "pipe" });
  if (exitCode !== 0) throw new Error(stderr.toString());
  return JSON.parse(stdout.toString()) as Told;
}

const name = { group: "plant", node: "box-1" };

test.skipIf("reason" in prepared)("pysparkplug: NBIRTH, NDATA and NDEATH, the names, types, values and sequence that were told", () => {
  const sample = sampleOf(1_767_225_600_000, { height: 7, voting: "voting", isReady: true, temperatureCelsius: 41.5 });
  const birth = decodedByPython("NBIRTH", nodeBirth(name, sample.timeMs, 0, 3, sample));
  expect({ class: birth.class, seq: birth.seq }).toEqual({ class: "NBirth", seq: 0 });
  const byName = new Map(birth.metrics.map(([metric, type, value]) => [metric, [type?.toLowerCase(), value]]));
  expect(byName.get("Chain/Height")).toEqual(["uint64", 7]);
  expect(byName.get("Chain/Voting")).toEqual(["string", "voting"]);
  expect(byName.get("Health/Ready")).toEqual(["boolean", true]);
  expect(byName.get("Machine/Temperature")).toEqual(["double", 41.5]);
  expect(byName.get("Storage/Wear")).toEqual(["uint64", null]);
  expect(byName.get("Node Control/Rebirth")).toEqual(["boolean", false]);
  expect(byName.get("bdSeq")).toEqual(["int64", 3]);
  const death = decodedByPython("NDEATH", nodeDeath(name, sample.timeMs, 3));
  expect(death.class).toBe("NDeath");
});

test.skipIf("reason" in prepared)("pysparkplug: NDATA by alias alone, decoded with the alias, the value and the historical mark", () => {
  const data = decodedByPython("NDATA", nodeData(name, 1_767_225_600_000, 255, [reportOf(1_767_225_500_000, { height: 8 })], true));
  expect(data.seq).toBe(255);
  expect(data.metrics.map(([, , value, alias, isHistorical]) => [value, alias, isHistorical])).toEqual([[8, 10, true]]);
});
