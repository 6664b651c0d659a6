/** A real Apache Kafka of one's own: its jars from Maven Central, one broker that is its own controller. */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, takesConnections } from "./postgresql.ts";

const VERSION = "3.9.1";
const FETCH_LIMIT_MS = 150_000;
const CLUSTER = "BizraTrialCluster00000";

/** Where its jars are, or why there are none. They are kept between runs. */
export async function findKafka(): Promise<{ readonly java: string; readonly jars: string } | { readonly reason: string }> {
  const [java, maven] = [Bun.which("java"), Bun.which("mvn")];
  if (java === null) return { reason: "no Java here" };
  const jars = join(tmpdir(), `bizra-kafka-${VERSION}`);
  if (existsSync(jars)) return { java, jars };
  if (maven === null) return { reason: "no Maven here to fetch Kafka's jars with" };
  const work = mkdtempSync(join(tmpdir(), "bizra-kafka-fetch-"));
  try {
    const head = '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>trial</groupId>';
    const needed = [
      ["org.apache.kafka", "kafka_2.13", VERSION],
      ["org.slf4j", "slf4j-nop", "1.7.36"],
    ].map(
      ([group, name, version]) =>
        `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`,
    );
    writeFileSync(
      join(work, "pom.xml"),
      `${head}<artifactId>trial</artifactId><version>1</version><dependencies>${needed.join("")}</dependencies></project>`,
    );
    const fetched = Bun.spawn([maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars", "-DincludeScope=runtime"], {
      cwd: work,
      stdout: "pipe",
      stderr: "ignore",
      timeout: FETCH_LIMIT_MS,
    });
    const said = await new Response(fetched.stdout).text();
    if ((await fetched.exited) !== 0) return { reason: `Maven could not fetch Kafka: ${said.trim().slice(-300)}` };
    if (!existsSync(jars)) renameSync(join(work, "jars"), jars);
    return { java, jars };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A broker with its data; it may be killed and started again. */
export class KafkaServer {
  readonly port = freePort();
  readonly #words: readonly string[];
  readonly #folder = mkdtempSync(join(tmpdir(), "bizra-kafka-data-"));
  readonly #settings = join(this.#folder, "server.properties");
  #process: Bun.Subprocess | undefined;

  constructor({ java, jars }: { readonly java: string; readonly jars: string }) {
    this.#words = [java, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", join(jars, "*")];
    const data = join(this.#folder, "data");
    mkdirSync(data);
    const controller = freePort();
    const settings = {
      "process.roles": "broker,controller",
      "node.id": 1,
      "controller.quorum.voters": `1@127.0.0.1:${controller}`,
      listeners: `PLAINTEXT://127.0.0.1:${this.port},CONTROLLER://127.0.0.1:${controller}`,
      "advertised.listeners": `PLAINTEXT://127.0.0.1:${this.port}`,
      "controller.listener.names": "CONTROLLER",
      "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
      "log.dirs": data,
      "num.partitions": 3,
      "offsets.topic.replication.factor": 1,
      "offsets.topic.num.partitions": 1,
      "group.initial.rebalance.delay.ms": 0,
      "broker.session.timeout.ms": 3_000,
    };
    writeFileSync(
      this.#settings,
      Object.entries(settings)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(""),
    );
    const made = Bun.spawnSync([...this.#words, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", this.#settings]);
    if (!made.success) throw new Error(made.stderr.toString() || made.stdout.toString());
  }

  async start(): Promise<void> {
    this.#process = Bun.spawn([...this.#words, "kafka.Kafka", this.#settings], { stdout: "ignore", stderr: "ignore" });
    if (!(await takesConnections(this.port, 60_000))) throw new Error("Kafka takes no connections");
  }

  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
