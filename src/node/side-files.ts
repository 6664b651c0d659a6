import { existsSync } from "node:fs";
import { join } from "node:path";
import { BROKER_DATABASE } from "../../appliance/broker/index.ts";
import { TELEMETRY_APPLICATION_ID, TELEMETRY_MIGRATIONS } from "../../appliance/telemetry/index.ts";
import { SYNC_APPLICATION_ID, SYNC_MIGRATIONS } from "../../sync/agent/index.ts";
import { type DatabaseOptions, isStorageError } from "../storage/index.ts";
import { HOME } from "./home.ts";
import { systemPlatform } from "./platform.ts";

/** A database beside the chain's, and what its loss costs. */
type SideFile = Pick<DatabaseOptions, "applicationId" | "migrations"> & {
  readonly name: string;
  /** What it holds, and how a home goes on without it. */
  readonly loss: string;
  /** Whether a start goes on by itself. */
  readonly isReplaced: boolean;
};

const SIDE_FILES: readonly SideFile[] = [
  {
    name: HOME.sync,
    applicationId: SYNC_APPLICATION_ID,
    migrations: SYNC_MIGRATIONS,
    loss: "it holds what aggregators acknowledged, which they are asked for again, and vital events kept for other nodes, which are lost with it. Move it and what is named like it away, and start",
    isReplaced: false,
  },
  {
    name: HOME.broker,
    ...BROKER_DATABASE,
    loss: "it holds sessions, queued and retained messages of devices, which are lost with it; accepted transactions are not in it. Move it and what is named like it away, and start",
    isReplaced: false,
  },
  {
    name: HOME.telemetry,
    applicationId: TELEMETRY_APPLICATION_ID,
    migrations: TELEMETRY_MIGRATIONS,
    loss: "it holds reports that were not told yet, which are lost with it. A start sets it aside and begins it anew",
    isReplaced: true,
  },
];

/** What is wrong with a file beside the chain's. */
export type SideFinding = { readonly severity: "error" | "warning"; readonly file: string; readonly detail: string };

/** Proves those databases of a stopped node's home that are there, down to their last page. */
export function examineSideFiles(home: string): readonly SideFinding[] {
  const present = SIDE_FILES.filter(({ name }) => existsSync(join(home, name)));
  return present.flatMap((side) => {
    const file = join(home, side.name);
    try {
      prove(file, side);
      return [];
    } catch (error) {
      if (!isStorageError(error)) throw error;
      const detail = error.code === "damaged" ? `${error.message}; ${side.loss}` : error.message;
      return [{ severity: side.isReplaced && error.code === "damaged" ? "warning" : "error", file: error.path, detail }];
    }
  });
}

function prove(path: string, { applicationId, migrations }: SideFile): void {
  const database = systemPlatform.openDatabase({ path, applicationId, migrations, durability: "full", create: false });
  try {
    for (const steps = database.scrub(); !steps.next().done; );
  } finally {
    database.close();
  }
}
