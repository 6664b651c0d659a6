/** A PostgreSQL whose disk is full, under the aggregator's ingest. */
import { afterAll, expect, test } from "bun:test";
import { localSigner, nativeSuite, sha256 } from "../../../src/crypto/index.ts";
import { present, silentLog, toHex, utf8 } from "../../../src/kernel/index.ts";
import { systemClock, systemEntropy, systemTimers } from "../../../src/node/ports.ts";
import { Ingest, PostgresStore } from "../../../sync/aggregator/index.ts";
import { decodeAck } from "../../../sync/protocol/index.ts";
import { greetAll, makeSenders, NETWORK } from "../../bench/ingest-backlog.ts";
import { findMountObstacle, findPostgresql, PostgresServer } from "./postgresql.ts";

const TINY_BYTES = 20 * 1_024 * 1_024;
/** What is let go of to make room again. */
const BALLAST_BYTES = 3 * 1_024 * 1_024;

const found = await findPostgresql();
const obstacle = "reason" in found ? found.reason : findMountObstacle();
if (obstacle !== undefined) console.warn(`SKIPPED: a full disk under PostgreSQL. ${obstacle}`);
const server = "reason" in found || obstacle !== undefined ? undefined : new PostgresServer(found.programs, ["fsync=off"], TINY_BYTES);
afterAll(() => server?.remove());

test.skipIf(server === undefined)(
  "ingest: a full disk under PostgreSQL, refused as full; nothing acknowledged is lost, and with room it goes on",
  async () => {
    if (!server) return;
    await server.start();
    await server.query("postgres", `CREATE TABLESPACE tiny LOCATION '${server.smallDisk}'`);
    const { name, url } = await server.makeDatabase("tiny");
    await server.query(name, "CREATE TABLE ballast (b bytea)");
    await server.query(name, "ALTER TABLE ballast ALTER b SET STORAGE EXTERNAL");
    await server.query(name, `INSERT INTO ballast VALUES (decode(repeat('ab', ${BALLAST_BYTES}), 'hex'))`);
    const opened = await PostgresStore.open(url, systemTimers);
    if (!opened.ok) throw new Error(opened.error.detail);
    const store = opened.value;
    const ingest = new Ingest({
      store,
      policy: { isOpen: true, knowsNetwork: () => true, speaksFor: () => true },
      witness: localSigner(sha256(utf8("a witness"))),
      verify: nativeSuite.verify,
      clock: systemClock,
      entropy: systemEntropy,
      log: silentLog,
    });
    const [sender] = makeSenders({ nodes: 1, batchesOfEach: 220, recordsOfEach: 500, inFlight: 1 });
    const lines = await greetAll(ingest, [present(sender, "a sender")]);
    const messages = present(lines[1], "the messages of the ops lane");
    let acknowledged = 0;
    const send = async (from: number) => {
      for (let at = from; at < messages.length; at++) {
        const { kind, message, refusal } = await ingest.answer("batch", present(messages[at], "a message"), undefined);
        const ack = kind === "ack" ? decodeAck(message) : undefined;
        if (!ack?.ok) return { at, refusal };
        acknowledged = ack.value.sequence;
      }
      throw new Error(`${acknowledged} records did not fill the disk`);
    };
    const held = async (): Promise<readonly number[]> => {
      const records = await store.readEvents({ network: toHex(NETWORK), node: "box-0" }, "ops", { epoch: 0, sequence: 0 }, 1_000_000);
      return records.map(({ sequence }) => sequence);
    };

    const stopped = await send(0);
    expect(stopped.refusal).toMatchObject({ code: "full", retryAfterMs: 60_000 });
    expect(acknowledged).toBeGreaterThan(0);
    expect(await held()).toEqual(Array.from({ length: acknowledged }, (_, at) => at + 1));
    expect((await store.holdings({ network: toHex(NETWORK), node: "box-0" })).find(({ lane }) => lane === "ops")?.sequence).toBe(
      acknowledged,
    );

    const before = acknowledged;
    await server.query(name, "DROP TABLE ballast");
    const again = await send(stopped.at); // until it is full again
    expect(again.refusal?.code).toBe("full");
    expect(acknowledged).toBeGreaterThan(before);
    expect(await held()).toEqual(Array.from({ length: acknowledged }, (_, at) => at + 1));
    await store.close();
  },
  240_000,
);
