import { parseChrony, parseTimedatectl } from "./clock-state.ts";
import { readFigures, secureBootState, tpmVersion, watchdogState } from "./reading.ts";
import { smartLife } from "./storage-life.ts";
import { throttledWord } from "./thermal.ts";
import type { ClockState, HardwareReport, HardwareSource, StorageLife } from "./types.ts";

/** Disks that smartctl knows. */
const SMART_DISK = /^(sd[a-z]+|nvme\d+n\d+)$/;

/**
 * Looks at everything, with the programs that there are (smartctl, chronyc, timedatectl, vcgencmd); changes nothing.
 *
 * @param paths that should be writable
 */
export async function readReport(source: HardwareSource, paths: readonly string[]): Promise<HardwareReport> {
  const figures = readFigures(source, paths);
  const model = (source.text("proc/device-tree/model") || source.text("sys/class/dmi/id/product_name")).replaceAll("\0", "").trim();
  const watchdog = watchdogState(source);
  const tpm = tpmVersion(source);
  const isSecureBoot = secureBootState(source);
  const [smart, clock, word] = await Promise.all([
    smartLives(source),
    clockState(source, figures.clock),
    firmwareWord(source, figures.thermal),
  ]);
  return {
    ...(model !== "" && { model }),
    storage: [...figures.storage, ...smart],
    readOnly: figures.readOnly,
    thermal: { ...figures.thermal, ...word },
    clock,
    ...(watchdog && { watchdog }),
    ...(tpm !== undefined && { tpm }),
    ...(isSecureBoot !== undefined && { isSecureBoot }),
  };
}

async function smartLives(source: HardwareSource): Promise<readonly StorageLife[]> {
  const disks = source
    .list("sys/block")
    .filter((name) => SMART_DISK.test(name))
    .slice(0, 16);
  const lives = await Promise.all(
    disks.map(async (disk) => {
      const output = await source.run(["smartctl", "-j", "-H", "-A", `/dev/${disk}`]);
      return output === undefined ? undefined : smartLife(disk, output);
    }),
  );
  return lives.filter((life) => life !== undefined);
}

async function clockState(source: HardwareSource, known: ClockState): Promise<ClockState> {
  const chrony = await source.run(["chronyc", "-c", "-n", "tracking"]);
  const tracked = chrony === undefined ? undefined : parseChrony(chrony);
  if (tracked) return { ...known, ...tracked, service: "chrony" };
  if (known.isSynchronized !== undefined) return known;
  const shown = await source.run(["timedatectl", "show"]);
  const isSynchronized = shown === undefined ? undefined : parseTimedatectl(shown);
  return { ...known, ...(isSynchronized !== undefined && { isSynchronized }) };
}

/** Kernels of distributions other than the maker's have no file for the firmware's word; its program knows it there, too. */
async function firmwareWord(source: HardwareSource, { isUndervolted }: HardwareReport["thermal"]): Promise<HardwareReport["thermal"]> {
  if (isUndervolted !== undefined || !source.text("proc/device-tree/model").startsWith("Raspberry Pi")) return {};
  const output = await source.run(["vcgencmd", "get_throttled"]);
  return (output === undefined ? undefined : throttledWord(output)) ?? {};
}
