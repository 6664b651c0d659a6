import { describe, expect, test } from "bun:test";
import { Journal } from "../../../../appliance/broker/journal.ts";
import { BROKER_DATABASE, BrokerStore } from "../../../../appliance/broker/store.ts";
import { silentLog } from "../../../../src/kernel/index.ts";
import { openMemoryDatabase, StorageError } from "../../../../src/storage/index.ts";
import { ManualTime } from "../../gateway/manual-time.ts";

/** A store whose disk refuses when told. */
class RefusingStore extends BrokerStore {
  refusal: Error | undefined;
  readonly commits: number[] = [];

  override commit(changes: Iterable<(store: BrokerStore) => void>): void {
    if (this.refusal !== undefined) throw this.refusal;
    const list = [...changes];
    this.commits.push(list.length);
    super.commit(list);
  }
}

function setUp() {
  const time = new ManualTime();
  const store = new RefusingStore(openMemoryDatabase(BROKER_DATABASE));
  const failures: unknown[] = [];
  const journal = new Journal({ store, timers: time, log: silentLog, lingerMs: 2, onFailure: (error) => failures.push(error) });
  const put = (id: number, isInsert = true): void => journal.put(`received ${id}`, (into) => into.putReceived("c", id), isInsert);
  const remove = (id: number): void => journal.remove(`received ${id}`, (from) => from.dropReceived("c", id));
  return { time, store, failures, journal, put, remove };
}

describe("broker journal", () => {
  test("broker journal: nothing waits, a promise is kept at once; else after the commit, in order", () => {
    const { time, journal, put } = setUp();
    const done: number[] = [];
    journal.afterCommit(() => done.push(1));
    expect(done).toEqual([1]);
    put(1);
    for (const at of [2, 3]) journal.afterCommit(() => done.push(at));
    time.advance(1);
    expect(done).toEqual([1]);
    time.advance(1);
    expect([done, journal.isDirty]).toEqual([[1, 2, 3], false]);
  });

  test("broker journal: a row that comes and goes is never written, one that is on disk is removed, the last of many states is written", () => {
    const { time, store, put, remove } = setUp();
    put(1);
    remove(1);
    time.advance(2);
    expect(store.commits).toEqual([]);
    put(2);
    put(2, false);
    time.advance(2);
    remove(2);
    put(2);
    remove(2);
    time.advance(2);
    expect(store.commits).toEqual([1, 1]);
    expect(store.load().sessions).toEqual([]);
  });

  test("broker journal: a full disk, everything waits and is written when there is room", () => {
    const { time, store, failures, journal, put } = setUp();
    const done: number[] = [];
    store.refusal = new StorageError("diskFull", "broker.db", "no room");
    put(1);
    journal.afterCommit(() => done.push(1));
    time.advance(500);
    put(2);
    journal.afterCommit(() => done.push(2));
    expect([done, failures]).toEqual([[], []]);
    store.refusal = undefined;
    time.advance(1_000);
    expect([done, store.commits]).toEqual([[1, 2], [2]]);
  });

  test("broker journal: any other failure of the disk, told once, and no promise is kept any more", () => {
    const { time, store, failures, journal, put } = setUp();
    const done: number[] = [];
    store.refusal = new StorageError("ioFailed", "broker.db", "gone");
    put(1);
    journal.afterCommit(() => done.push(1));
    time.advance(2);
    put(2);
    journal.afterCommit(() => done.push(2));
    time.advance(5_000);
    expect([done, failures.length, time.pending]).toEqual([[], 1, 0]);
  });

  test("broker journal: closed, it has written what waited and touches the disk no more", () => {
    const { time, store, journal, put } = setUp();
    const done: number[] = [];
    put(1);
    journal.afterCommit(() => done.push(1));
    journal.close();
    put(2);
    journal.afterCommit(() => done.push(2));
    time.advance(5_000);
    expect([done, store.commits, time.pending]).toEqual([[1], [1], 0]);
  });
});
