import { parseHex, toHex } from "../kernel/index.ts";

/**
 * Where a client keeps what a restart must not lose: a few small records by key. It is asked for one thing at a
 * time, and a promise that resolves means durable. One that rejects stops the client, which then has sent nothing that it
 * would not know of after the restart.
 */
export interface DeviceStorage {
  /** Every record. */
  load(): Promise<readonly (readonly [key: string, record: Uint8Array])[]>;
  /** Writes or replaces a record. Keys are 1 to 32 of `a-z0-9.-`. */
  put(key: string, record: Uint8Array): Promise<void>;
  /** Removes a record that may be absent. */
  remove(key: string): Promise<void>;
}

/** Storage that a restart loses; for devices that may forget, and for tests. */
export function memoryStorage(): DeviceStorage {
  const records = new Map<string, Uint8Array>();
  return {
    load: async () => [...records],
    put: async (key, record) => void records.set(key, record),
    remove: async (key) => void records.delete(key),
  };
}

/** The part of a browser's `localStorage` that is used. */
export type WebStoragePort = Pick<Storage, "length" | "key" | "getItem" | "setItem" | "removeItem">;

/** Storage in a browser's `localStorage`, under keys that begin with this prefix. Records that are no hex are left out. */
export function webStorage(store: WebStoragePort, prefix = "bizra-device/"): DeviceStorage {
  return {
    async load() {
      const records: [string, Uint8Array][] = [];
      for (let i = 0; i < store.length; i++) {
        const key = store.key(i) ?? "";
        const record = key.startsWith(prefix) ? parseHex(store.getItem(key) ?? "") : undefined;
        if (record) records.push([key.slice(prefix.length), record]);
      }
      return records;
    },
    put: async (key, record) => store.setItem(prefix + key, toHex(record)),
    remove: async (key) => store.removeItem(prefix + key),
  };
}
