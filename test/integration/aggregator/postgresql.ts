/** A real PostgreSQL of one's own: Debian's, in a folder of its own, on a port of its own, not as root. */
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installPackages } from "../../e2e/support/debian.ts";

const VERSIONS = "/usr/lib/postgresql";

/** Where its programs are, or why there are none. */
export async function findPostgresql(): Promise<{ readonly programs: string } | { readonly reason: string }> {
  const find = (): string | undefined => {
    const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort() : [];
    return versions.map((version) => join(VERSIONS, version, "bin")).findLast((path) => existsSync(join(path, "initdb")));
  };
  const found = find();
  if (found !== undefined) return { programs: found };
  const fault = await installPackages(["postgresql"]);
  const programs = find();
  return programs === undefined ? { reason: `no PostgreSQL here: ${fault ?? "it was installed and is not found"}` } : { programs };
}

/** A port that nobody listens on just now. */
export function freePort(): number {
  const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = taken;
  taken.stop(true);
  return port;
}

/** Waits until something takes connections; false when it does not within the time. */
export async function takesConnections(port: number, limitMs = 90_000): Promise<boolean> {
  const endMs = performance.now() + limitMs;
  while (performance.now() < endMs) {
    const open = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } }).catch(() => undefined);
    open?.end();
    if (open) return true;
    await Bun.sleep(25);
  }
  return false;
}

/** Enters a mount namespace of its own, as root or as nobody in particular. */
const OWN_MOUNTS =
  process.getuid?.() === 0
    ? ["unshare", "--mount", "--propagation", "private"]
    : ["unshare", "--user", "--map-current-user", "--keep-caps", "--mount", "--propagation", "private"];

/** Why this machine cannot make a small disk for a server, or undefined when it can. */
export function findMountObstacle(): string | undefined {
  const tried = Bun.spawnSync([...OWN_MOUNTS, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdout: "ignore", stderr: "pipe" });
  return tried.success ? undefined : `a mount in a namespace of its own is not permitted: ${tried.stderr.toString().trim()}`;
}

/** A server with its data; `start` and `stop` may be called again and again. */
export class PostgresServer {
  readonly #programs: string;
  readonly #settings: readonly string[];
  /** Where another user may go too: the place for temporary files may be one person's alone. */
  readonly #folder = mkdtempSync(join(process.getuid?.() === 0 ? "/var/tmp" : tmpdir(), "bizra-postgres-"));
  readonly #port = freePort();
  readonly #owner: readonly string[];
  /** Mounts the small disk where only the server sees it; it goes with the server. */
  readonly #mount: readonly string[];
  #process: Bun.Subprocess | undefined;
  #made = 0;

  /**
   * @param settings of postgresql.conf, as name=value
   * @param smallDiskBytes size of a disk of its own at `smallDisk`; 0: there is none
   */
  constructor(programs: string, settings: readonly string[] = [], smallDiskBytes = 0) {
    this.#programs = programs;
    this.#settings = settings;
    const isRoot = process.getuid?.() === 0;
    this.#owner = isRoot ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : [];
    const own = (flag: string): number => Number(Bun.spawnSync(["id", flag, ...(isRoot ? ["postgres"] : [])]).stdout.toString());
    const [uid, gid] = [own("-u"), own("-g")];
    mkdirSync(this.smallDisk);
    for (const path of isRoot ? [this.#folder, this.smallDisk] : []) chownSync(path, uid, gid);
    const options = `size=${smallDiskBytes},mode=700,uid=${uid},gid=${gid}`;
    const script = 'mount -t tmpfs -o "$1" tmpfs "$2" && shift 2 && exec "$@"';
    this.#mount = smallDiskBytes === 0 ? [] : [...OWN_MOUNTS, "sh", "-c", script, "sh", options, this.smallDisk];
  }

  /** Where a tablespace on the small disk may be. */
  get smallDisk(): string {
    return join(this.#folder, "small");
  }

  /** Its address, with the name of a database. */
  url(database: string): string {
    return `postgres://bizra@127.0.0.1:${this.#port}/${database}`;
  }

  async start(): Promise<void> {
    const data = join(this.#folder, "data");
    if (!existsSync(data)) {
      const command = [...this.#owner, join(this.#programs, "initdb"), "-D", data, "-U", "bizra", "-A", "trust", "-E", "UTF8", "-N"];
      const made = Bun.spawnSync(command, { cwd: this.#folder });
      if (!made.success) throw new Error(made.stderr.toString());
    }
    const settings = this.#settings.flatMap((setting) => ["-c", setting]);
    const words = [
      join(this.#programs, "postgres"),
      "-D",
      data,
      "-k",
      this.#folder,
      "-h",
      "127.0.0.1",
      "-p",
      String(this.#port),
      ...settings,
    ];
    this.#process = Bun.spawn([...this.#mount, ...this.#owner, ...words], { cwd: this.#folder, stdout: "ignore", stderr: "ignore" });
    for (let tries = 0; tries < 400; tries++) {
      const sql = new Bun.SQL(this.url("postgres"), { max: 1 });
      const answers = await sql.unsafe("SELECT 1").then(
        () => true,
        () => false,
      );
      await sql.close();
      if (answers) return;
      await Bun.sleep(50);
    }
    throw new Error("PostgreSQL does not answer");
  }

  /** Ends it: `SIGQUIT` at once and without a checkpoint, as a crash does, or `SIGINT` in good order. */
  async stop(signal: "SIGINT" | "SIGQUIT" = "SIGQUIT"): Promise<void> {
    this.#process?.kill(signal);
    await this.#process?.exited;
    this.#process = undefined;
  }

  /** Runs a statement beside everything. */
  async query(database: string, text: string): Promise<readonly Record<string, unknown>[]> {
    const sql = new Bun.SQL(this.url(database), { max: 1 });
    try {
      return await sql.unsafe(text);
    } finally {
      await sql.close();
    }
  }

  /** Makes an empty database, in a tablespace where one is named; gives its address. */
  async makeDatabase(tablespace = "pg_default"): Promise<{ readonly name: string; readonly url: string }> {
    const name = `trial_${++this.#made}`;
    await this.query("postgres", `CREATE DATABASE ${name} TABLESPACE ${tablespace}`);
    return { name, url: this.url(name) };
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
