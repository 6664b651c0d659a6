/**
 * A device in Node: submits anchors over HTTP by the built package and prints what it has verified. Run by device-package.test.ts.
 *
 * Arguments: path of dist/bizra-device.js, URL of a node, genesis file, key file (PEM), folder for its records, count.
 */
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [bundle = "", url = "", genesisFile = "", keyFile = "", folder = "", count = ""] = process.argv.slice(2);
const device = await import(pathToFileURL(bundle).href);

/**
 * Storage of one file a record: written beside, synced, then renamed.
 *
 * @param {string} path
 */
function folderStorage(path) {
  return {
    async load() {
      await mkdir(path, { recursive: true });
      const names = (await readdir(path)).filter((name) => !name.endsWith(".new"));
      return Promise.all(names.map(async (name) => [name, new Uint8Array(await readFile(join(path, name)))]));
    },
    /** @param {string} key @param {Uint8Array} record */
    async put(key, record) {
      const file = await open(join(path, `${key}.new`), "w");
      await file.writeFile(record);
      await file.sync();
      await file.close();
      await rename(join(path, `${key}.new`), join(path, key));
    },
    /** @param {string} key */
    remove: (key) => rm(join(path, key), { force: true }),
  };
}

const { deviceClock: clock, deviceTimers: timers, deviceEntropy: entropy } = device;
const chain = device.trustGenesis(await readFile(genesisFile, "utf8"), undefined);
const key = device.importKeyPem(await readFile(keyFile, "utf8"));
if (!chain.ok || !key.ok) throw new Error("genesis or key cannot be read");
const client = await device.DeviceClient.open({
  signer: key.value,
  chain: chain.value,
  carriers: [new device.HttpCarrier({ url, fetch, timers })],
  storage: folderStorage(folder),
  ports: { clock, timers, entropy },
});
const taken = [...client.pending];
for (let i = 0; i < Number(count); i++) {
  const submission = await client.submit(device.anchorBody("node/readings", `reading ${i}`));
  if (!submission.ok) throw new Error(submission.error);
  taken.push(submission.value);
}
for (const { ended } of taken) {
  const end = await ended;
  const { kind, id, receipt } = end;
  console.log(JSON.stringify({ kind, id: id && device.toHex(id), code: receipt?.code ?? end.code, height: receipt?.height }));
}
await client.close();
