/**
 * Floor 4. Everything durable stands on this: files behind a port, append-only record logs, SQLite opened in one place,
 * objects by name in a folder, in S3 or at an aggregator, and the detection of damage at rest.
 *
 * Invariants: what a call reports as durable survives a power cut; damage is named (file, place, kind), never silently cut
 * off; after a failed sync the object concerned refuses further work. No atomicity across files is promised: what must be
 * atomic lives in one file. Knows nothing of what it stores.
 */
export { Database, type Migration } from "./database.ts";
/** What opening a database found. */
export type { DatabaseReport } from "./database-guard.ts";
export * from "./disk-space.ts";
export { acquireFileLock, type FileLock } from "./file-lock.ts";
export * from "./file-system.ts";
export * from "./home-lock.ts";
export * from "./log-damage.ts";
/** Where a record of a log lies. */
export type { Location } from "./log-location.ts";
export * from "./memory-database-file.ts";
export * from "./memory-file-system.ts";
export * from "./node-file-system.ts";
export { FileObjects } from "./objects/file-objects.ts";
export { HTTP_OBJECT_BYTES_MAX, OBJECTS_PATH, ObjectsRefused } from "./objects/http-objects.ts";
export { checkObjectName, checkObjectPrefix, WrongObjectName } from "./objects/object-names.ts";
export * from "./objects/object-store.ts";
export { openObjects } from "./objects/open-objects.ts";
export { type DatabaseOptions, openDatabase, openMemoryDatabase, raiseFormat } from "./open-database.ts";
export * from "./open-record-log.ts";
export { type OpenReport, RecordLog, type RecordLogTuning } from "./record-log.ts";
export * from "./storage-error.ts";
export * from "./write-counter.ts";
