import { integerSetting, listSetting, textSetting } from "./setting.ts";

/** Settings of backups of the state, section `backup`. */
export const BACKUP_SETTINGS = {
  objects: textSetting({
    pattern: /^(?![a-z0-9+.-]+:\/\/[^/]*@)[^\0]{0,4096}$/i,
    expected: "a folder, s3://bucket/prefix?endpoint=URL or https://aggregator:port, without a name or a password in it",
    fallback: "",
    doc: "Where backups of the state go: a folder, best on another machine's disk, a bucket of S3, or an aggregator; empty: none are taken.",
  }),
  credentialsFile: textSetting({
    pattern: /^[^\0]{0,4096}$/,
    expected: "a path, relative to the home when it does not start with /",
    fallback: "",
    doc: "File with KEY:SECRET of S3, for its owner's eyes alone; BIZRA_OBJECTS_CREDENTIALS goes before it.",
  }),
  recipients: listSetting({
    pattern: /^age1[02-9ac-hj-np-z]{58}$/,
    expected: "a public recovery key, age1...",
    itemsMax: 4,
    doc: "Who can open the backups: the public recovery keys of the fleet (kept offline) and of the site.",
  }),
  everySeconds: integerSetting({
    min: 1,
    max: 604_800,
    fallback: 600,
    doc: "Seconds from one backup to the next, while the chain moves.",
  }),
  everyBlocks: integerSetting({
    min: 1,
    max: 1_000_000_000,
    fallback: 1_000,
    doc: "Blocks after which the next backup is taken, even if it is not time yet.",
  }),
  drillSeconds: integerSetting({
    min: 0,
    max: 31_536_000,
    fallback: 604_800,
    doc: "Seconds from one drill, which restores the newest backup for trial, to the next; 0: never.",
  }),
} as const;
