import type { StorageLife } from "./types.ts";

/**
 * Life of an eMMC by its EXT_CSD: `life_time` gives the use of two kinds of cells in steps of ten percent (1 to 10; 11: more than
 * all of it), `pre_eol_info` how many of the spare blocks are used (1 normal, 2: 80 %, 3: 90 %). Undefined for a card that
 * tells neither, as SD cards do.
 *
 * @see JESD84-B51, EXT_CSD 267 to 269
 */
export function emmcLife(device: string, lifeTime: string, preEndOfLife: string): StorageLife | undefined {
  const steps = lifeTime
    .split(/\s+/)
    .map(hexOf)
    .filter((step) => step >= 1 && step <= 11);
  const reserve = ([undefined, "normal", "warning", "urgent"] as const)[hexOf(preEndOfLife.trim())];
  if (steps.length === 0 && reserve === undefined) return undefined;
  return {
    device,
    source: "emmc",
    ...(steps.length > 0 && { usedPercent: 10 * Math.max(...steps) }),
    ...(reserve !== undefined && { reserve }),
  };
}

/**
 * Life of a disk by what `smartctl -j -H -A` prints. An SSD on SATA tells it as a normalized attribute that falls from 100;
 * which one is the maker's choice, and 230 of the same name means the opposite with some, so it is not taken.
 *
 * @see smartctl(8), NVMe 2.0 figure 207 (percentage used, available spare)
 */
export function smartLife(device: string, output: string): StorageLife | undefined {
  const report = recordOf(parse(output));
  const nvme = recordOf(report["nvme_smart_health_information_log"]);
  const passed = recordOf(report["smart_status"])["passed"];
  const used =
    numberOf(nvme["percentage_used"]) ?? numberOf(recordOf(report["endurance_used"])["current_percent"]) ?? ataUsedPercent(report);
  const [spare, threshold] = [numberOf(nvme["available_spare"]), numberOf(nvme["available_spare_threshold"])];
  const reserve =
    spare === undefined || threshold === undefined
      ? undefined
      : spare <= threshold
        ? "urgent"
        : spare <= 2 * threshold
          ? "warning"
          : "normal";
  if (used === undefined && reserve === undefined && typeof passed !== "boolean") return undefined;
  return {
    device,
    source: "smart",
    ...(used !== undefined && { usedPercent: used }),
    ...(reserve !== undefined && { reserve }),
    ...(typeof passed === "boolean" && { isHealthy: passed }),
  };
}

/** Attributes that count down from 100 to 0, the one that says it best first. */
const LIFE_LEFT_IDS = [231, 233, 202, 177] as const;

function ataUsedPercent(report: Readonly<Record<string, unknown>>): number | undefined {
  const table = recordOf(report["ata_smart_attributes"])["table"];
  const rows = (Array.isArray(table) ? table : []).map(recordOf);
  for (const id of LIFE_LEFT_IDS) {
    const left = numberOf(rows.find((row) => row["id"] === id)?.["value"]);
    if (left !== undefined && left <= 100) return 100 - left;
  }
  return undefined;
}

function parse(output: string): unknown {
  try {
    return JSON.parse(output);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // an old smartctl knows no JSON and prints its usage
    return undefined;
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

function hexOf(word: string): number {
  return /^0x[0-9a-fA-F]{1,2}$/.test(word) ? Number.parseInt(word, 16) : Number.NaN;
}
