/** Machines behind routers: network namespaces of this machine's kernel, with address translation between them. */
import { BINARY, cleanEnvironment } from "./bizra.ts";

/** Enters namespaces of its own without being root. */
const UNSHARE = ["unshare", "--user", "--map-root-user", "--mount", "--net", "--propagation", "private"] as const;
const APT = ["-o", "Acquire::http::Timeout=15", "-o", "Acquire::https::Timeout=15", "-o", "Acquire::Retries=1"] as const;

/** A machine: open to the others, or behind a router of its own, which lets nothing in that was not asked for from inside. */
export type Machine = { readonly name: string; readonly isBehindRouter: boolean };

/** Why this machine cannot play a network with routers, or undefined when it can. Installs nftables where it may. */
export async function findNatObstacle(): Promise<string | undefined> {
  if (process.platform !== "linux") return "network namespaces are Linux's";
  if (Bun.which("unshare") === null || Bun.which("nsenter") === null) return "unshare and nsenter (util-linux) are not installed";
  if (Bun.which("ip") === null) return "ip (iproute2) is not installed";
  if (findNft() === undefined) {
    if (Bun.which("apt-get") === null || process.getuid?.() !== 0)
      return "no nft here, and no right to install it: as root, `apt-get install nftables`";
    const quiet = {
      stdout: "ignore",
      stderr: "ignore",
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      timeout: 120_000,
    } as const;
    const install = ["apt-get", ...APT, "install", "-y", "--no-install-recommends", "nftables"];
    if (Bun.spawnSync(install, quiet).exitCode !== 0 && Bun.spawnSync(["apt-get", ...APT, "update"], quiet).exitCode === 0)
      Bun.spawnSync(install, quiet);
  }
  const nft = findNft();
  if (nft === undefined) return "no nft here, and apt-get could not install nftables";
  const tried = Bun.spawnSync(
    [...UNSHARE, "sh", "-ec", `mount -t tmpfs tmpfs /run; mkdir /run/netns; ip netns add t; ${rulesOf(nft, "t")}`],
    {
      stdout: "ignore",
      stderr: "pipe",
    },
  );
  return tried.exitCode === 0 ? undefined : `routers in namespaces are not permitted: ${tried.stderr.toString().trim()}`;
}

/** A network of machines in one street, some behind routers. It goes with the process that holds its namespaces. */
export class NatWorld {
  readonly #holder: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #askers = new Map<string, Asker>();

  private constructor(holder: Bun.Subprocess<"pipe", "pipe", "inherit">) {
    this.#holder = holder;
  }

  /** Makes one; the n-th machine has the address `addressOf(n)` in the street, or its router has. */
  static async make(machines: readonly Machine[]): Promise<NatWorld> {
    const script = scriptOf(machines, findNft() ?? "nft");
    const holder = Bun.spawn([...UNSHARE, "sh", "-ec", script], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
      env: cleanEnvironment(),
    });
    const first = await holder.stdout.getReader().read();
    if (!new TextDecoder().decode(first.value).startsWith("made")) throw new Error("the network with routers could not be made");
    return new NatWorld(holder);
  }

  /** The address in the street of the n-th machine, or of its router. */
  static addressOf(index: number): string {
    return `198.51.100.${10 + index}`;
  }

  /** The words that run a command on a machine. */
  on(machine: string): readonly string[] {
    return [
      "nsenter",
      "--user",
      "--mount",
      "--net",
      "--preserve-credentials",
      "-t",
      String(this.#holder.pid),
      "ip",
      "netns",
      "exec",
      machine,
    ];
  }

  /** The words that run the binary on a machine. */
  binaryOn(machine: string): readonly string[] {
    return [...this.on(machine), BINARY];
  }

  /** The JSON that a machine gets for a URL; undefined when nothing answers there. */
  async get(machine: string, url: string): Promise<{ readonly status: number; readonly json: Record<string, unknown> } | undefined> {
    const asker = this.#askers.get(machine) ?? new Asker(this.on(machine));
    this.#askers.set(machine, asker);
    return await asker.ask(url);
  }

  /** Bytes that a machine has sent and received on its network. */
  bytesOf(machine: string): { readonly sent: number; readonly received: number } {
    const read = Bun.spawnSync([...this.on(machine), "cat", "/proc/net/dev"], { stdout: "pipe" }).stdout.toString();
    const fields = /eth0:\s*(.*)/.exec(read)?.[1]?.trim().split(/\s+/) ?? [];
    return { received: Number(fields[0] ?? 0), sent: Number(fields[8] ?? 0) };
  }

  /** Ends it with everything in it. */
  kill(): void {
    for (const asker of this.#askers.values()) asker.kill();
    this.#holder.kill("SIGKILL");
  }
}

/** A process on a machine that fetches what it is told to. */
class Asker {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #answers: AsyncIterator<string>;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(enter: readonly string[]) {
    const program = `for await (const url of console) {
      try { const r = await fetch(url); const t = await r.text(); console.log(JSON.stringify({ status: r.status, json: JSON.parse(t) })); }
      catch { console.log("null"); }
    }`;
    this.#child = Bun.spawn([...enter, process.execPath, "-e", program], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
      env: cleanEnvironment(),
    });
    this.#answers = linesOf(this.#child.stdout);
  }

  ask(url: string): Promise<{ readonly status: number; readonly json: Record<string, unknown> } | undefined> {
    const answer = this.#turn.then(async () => {
      this.#child.stdin.write(`${url}\n`);
      await this.#child.stdin.flush();
      const { value } = await this.#answers.next();
      return (JSON.parse(String(value ?? "null")) as { status: number; json: Record<string, unknown> } | null) ?? undefined;
    });
    this.#turn = answer;
    return answer;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

function findNft(): string | undefined {
  return Bun.which("nft", { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` }) ?? undefined;
}

/** Translates what goes out, and lets in only what belongs to it. */
function rulesOf(nft: string, router: string): string {
  const words = [
    "add table ip nat",
    "add chain ip nat post { type nat hook postrouting priority 100; }",
    'add rule ip nat post oifname "street" masquerade',
    "add chain ip nat through { type filter hook forward priority 0; policy drop; }",
    'add rule ip nat through oifname "street" accept',
    "add rule ip nat through ct state established,related accept",
  ];
  return words.map((rule) => `ip netns exec ${router} ${nft} '${rule}'`).join("\n");
}

function scriptOf(machines: readonly Machine[], nft: string): string {
  const lines = [
    "mount -t tmpfs tmpfs /run",
    "mkdir /run/netns",
    "ip netns add street",
    "ip -n street link add name br0 type bridge",
    "ip -n street link set br0 up",
  ];
  for (const [index, { name, isBehindRouter }] of machines.entries()) {
    const door = isBehindRouter ? `r${index}` : name;
    const port = isBehindRouter ? "street" : "eth0";
    const make = (space: string): string[] => [`ip netns add ${space}`, `ip -n ${space} link set lo up`];
    lines.push(...make(door));
    lines.push(
      `ip link add ${port} netns ${door} type veth peer name p${index} netns street`,
      `ip -n street link set p${index} master br0 up`,
    );
    lines.push(`ip -n ${door} addr add ${NatWorld.addressOf(index)}/24 dev ${port}`, `ip -n ${door} link set ${port} up`);
    if (!isBehindRouter) continue;
    lines.push(...make(name), `ip link add inside netns ${door} type veth peer name eth0 netns ${name}`);
    lines.push(`ip -n ${door} addr add 10.${index}.0.1/24 dev inside`, `ip -n ${door} link set inside up`);
    lines.push(
      `ip -n ${name} addr add 10.${index}.0.2/24 dev eth0`,
      `ip -n ${name} link set eth0 up`,
      `ip -n ${name} route add default via 10.${index}.0.1`,
    );
    lines.push(`ip netns exec ${door} sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'`, rulesOf(nft, door));
  }
  return [...lines, "echo made", "exec cat"].join("\n");
}
