import { timesyncState } from "./clock-state.ts";
import { parseMounts, readOnlyOf } from "./mounts.ts";
import { emmcLife } from "./storage-life.ts";
import { hottestOf, isCooled, throttledWord } from "./thermal.ts";
import type { HardwareReport, HardwareSource, StorageLife, ThermalState, WatchdogState } from "./types.ts";

/** What files alone tell, some thirty small ones: no program is run. */
export type HardwareReading = Omit<HardwareReport, "model" | "watchdog" | "tpm" | "isSecureBoot">;

/**
 * Looks at what changes.
 *
 * @param paths that should be writable
 */
export function readFigures(source: HardwareSource, paths: readonly string[]): HardwareReading {
  const isSynchronized = timesyncState(source.list("run/systemd"), source.list("run/systemd/timesync"));
  return {
    storage: emmcLives(source),
    readOnly: readOnlyOf(parseMounts(source.text("proc/mounts")), paths),
    thermal: thermalState(source),
    clock: {
      ...(isSynchronized !== undefined && { isSynchronized, service: "timesyncd" }),
      hasRealTimeClock: source.list("sys/class/rtc").some((name) => /^rtc\d+$/.test(name)),
    },
  };
}

function emmcLives(source: HardwareSource): readonly StorageLife[] {
  const disks = source.list("sys/block").filter((name) => /^mmcblk\d+$/.test(name));
  return disks.flatMap((disk) => {
    const at = (name: string): string => source.text(`sys/block/${disk}/device/${name}`);
    return emmcLife(disk, at("life_time"), at("pre_eol_info")) ?? [];
  });
}

function thermalState(source: HardwareSource): ThermalState {
  const names = source.list("sys/class/thermal");
  const at = (name: string, file: string): string => source.text(`sys/class/thermal/${name}/${file}`);
  const celsius = hottestOf(names.filter((name) => name.startsWith("thermal_zone")).map((zone) => at(zone, "temp")));
  const word = throttledWord(source.text("sys/devices/platform/soc/soc:firmware/get_throttled"));
  const coolers = names.filter((name) => name.startsWith("cooling_device"));
  const cooled = word ? undefined : isCooled(coolers.map((name) => ({ type: at(name, "type"), state: at(name, "cur_state") })));
  return { ...(celsius !== undefined && { celsius }), ...(cooled !== undefined && { isThrottled: cooled }), ...word };
}

/** The first watchdog of the machine. */
export function watchdogState(source: HardwareSource): WatchdogState | undefined {
  const [name] = source.list("sys/class/watchdog").filter((each) => /^watchdog\d+$/.test(each));
  if (name === undefined) return undefined;
  const at = (file: string): string => source.text(`sys/class/watchdog/${name}/${file}`).trim();
  const [timeout, state, boot] = [Number.parseInt(at("timeout"), 10), at("state"), Number.parseInt(at("bootstatus"), 10)];
  return {
    name: at("identity") || name,
    ...(timeout > 0 && { timeoutSeconds: timeout }),
    ...(state !== "" && { isRunning: state === "active" }),
    ...(!Number.isNaN(boot) && { hasRestarted: (boot & CARD_RESET) !== 0 }),
  };
}

/** WDIOF_CARDRESET of linux/watchdog.h: the last start was the watchdog's doing. */
const CARD_RESET = 0x20;

/** Major version of the first TPM, 1 where the kernel does not say it. */
export function tpmVersion(source: HardwareSource): number | undefined {
  const [name] = source.list("sys/class/tpm").filter((each) => /^tpm\d+$/.test(each));
  if (name === undefined) return undefined;
  return Number.parseInt(source.text(`sys/class/tpm/${name}/tpm_version_major`), 10) || 1;
}

/** The firmware's variable: four bytes of attributes, then whether it verifies (UEFI specification, 3.3). */
const SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/** Whether this start was verified by the firmware; undefined where it does not say. */
export function secureBootState(source: HardwareSource): boolean | undefined {
  const variable = source.text(SECURE_BOOT);
  return variable.length === 5 ? variable.endsWith("\u0001") : undefined;
}
