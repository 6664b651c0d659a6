/** The aggregator's objects on a real S3 server (s3rver), beside this process. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemEntropy } from "../../../src/node/ports.ts";
import { openObjects } from "../../../sync/aggregator/index.ts";
import { describeObjectStore } from "../../contract/object-store.ts";
import { freePort, takesConnections } from "./postgresql.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-s3-"));
const port = freePort();
let server: Bun.Subprocess | undefined;

describeObjectStore({
  name: "S3",
  open: async () => {
    const program = join(import.meta.dir, "../../../node_modules/s3rver/bin/s3rver.js");
    const words = ["-d", folder, "-a", "127.0.0.1", "-p", String(port), "--silent", "--configure-bucket", "trial"];
    // It lists names in the order in which folders are read; Node sorts that.
    server = Bun.spawn([Bun.which("node") ?? process.execPath, program, ...words], { stdout: "ignore", stderr: "ignore" });
    if (!(await takesConnections(port))) throw new Error("s3rver takes no connections");
    const objects = openObjects(`s3://S3RVER:S3RVER@trial/below/here?endpoint=http://127.0.0.1:${port}`, systemEntropy);
    if (!objects.ok) throw new Error(objects.error.detail);
    return objects.value;
  },
  remove: async () => {
    server?.kill();
    await server?.exited;
    rmSync(folder, { recursive: true, force: true });
  },
});
