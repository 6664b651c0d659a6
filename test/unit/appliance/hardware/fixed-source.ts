import type { HardwareSource } from "../../../../appliance/hardware/index.ts";

/** A machine made of the files that a kernel shows and of what its programs print. */
export class FixedSource implements HardwareSource {
  readonly #files: Readonly<Record<string, string>>;
  readonly #programs: Readonly<Record<string, string>>;
  readonly asked: string[] = [];

  constructor(files: Readonly<Record<string, string>>, programs: Readonly<Record<string, string>> = {}) {
    this.#files = files;
    this.#programs = programs;
  }

  text(path: string): string {
    return this.#files[path] ?? "";
  }

  list(path: string): readonly string[] {
    const below = Object.keys(this.#files).filter((file) => file.startsWith(`${path}/`));
    return [...new Set(below.map((file) => file.slice(path.length + 1).split("/")[0] ?? ""))].filter((name) => name !== "").sort();
  }

  async run(words: readonly string[]): Promise<string | undefined> {
    this.asked.push(words.join(" "));
    return this.#programs[words.join(" ")];
  }
}

/** Mounts of an appliance: a root that is never written, data and the rest of its partitions. */
export const APPLIANCE_MOUNTS = `/dev/mapper/root / erofs ro,relatime,user_xattr,acl,cache_strategy=readaround 0 0
devtmpfs /dev devtmpfs rw,nosuid,size=1859108k,nr_inodes=464777,mode=755 0 0
/dev/mmcblk0p9 /data ext4 rw,noatime,commit=30 0 0
/dev/mmcblk0p7 /provision vfat rw,nosuid,nodev,noexec,noatime,fmask=0077,dmask=0077,codepage=437 0 0
/dev/mmcblk0p8 /data/with\\040blank ext4 ro,noatime 0 0
`;

/** A Raspberry Pi CM4 with eMMC, too warm and on a weak supply. */
export const PI: Readonly<Record<string, string>> = {
  "proc/device-tree/model": "Raspberry Pi Compute Module 4 Rev 1.1\0",
  "proc/mounts": APPLIANCE_MOUNTS,
  "sys/block/mmcblk0/device/life_time": "0x02 0x03\n",
  "sys/block/mmcblk0/device/pre_eol_info": "0x02\n",
  "sys/block/mmcblk0boot0/device/life_time": "0x0b 0x0b\n",
  "sys/class/thermal/thermal_zone0/temp": "82250\n",
  "sys/class/thermal/thermal_zone1/temp": "-273000\n",
  "sys/class/thermal/cooling_device0/type": "gpio-fan\n",
  "sys/class/thermal/cooling_device0/cur_state": "1\n",
  "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
  "sys/class/watchdog/watchdog0/identity": "Broadcom BCM2835 Watchdog timer\n",
  "sys/class/watchdog/watchdog0/state": "active\n",
  "sys/class/watchdog/watchdog0/timeout": "15\n",
  "sys/class/watchdog/watchdog0/bootstatus": "0\n",
  "run/systemd/timesync/synchronized": "",
};

/** A small x86 box with an NVMe and a SATA disk, a TPM and chrony. */
export const X86: Readonly<Record<string, string>> = {
  "sys/class/dmi/id/product_name": "NUC11TNKi5\n",
  "proc/mounts": "/dev/nvme0n1p2 / ext4 rw,relatime 0 0\n",
  "sys/block/nvme0n1/size": "2000409264\n",
  "sys/block/sda/size": "468862128\n",
  "sys/block/loop0/size": "8\n",
  "sys/class/thermal/thermal_zone0/temp": "41000\n",
  "sys/class/thermal/cooling_device0/type": "Processor\n",
  "sys/class/thermal/cooling_device0/cur_state": "0\n",
  "sys/class/rtc/rtc0/name": "rtc_cmos rtc_cmos\n",
  "sys/class/watchdog/watchdog0/identity": "iTCO_wdt\n",
  "sys/class/watchdog/watchdog0/state": "inactive\n",
  "sys/class/watchdog/watchdog0/timeout": "30\n",
  "sys/class/watchdog/watchdog0/bootstatus": "32\n",
  "sys/class/tpm/tpm0/tpm_version_major": "2\n",
};

/** What smartctl 7 says of an NVMe disk, shortened. */
export const SMART_NVME = JSON.stringify({
  json_format_version: [1, 0],
  smartctl: { version: [7, 1], exit_status: 0 },
  device: { name: "/dev/nvme0n1", type: "nvme", protocol: "NVMe" },
  smart_status: { passed: true, nvme: { value: 0 } },
  nvme_smart_health_information_log: {
    critical_warning: 0,
    temperature: 36,
    available_spare: 100,
    available_spare_threshold: 10,
    percentage_used: 7,
    data_units_written: 7773431,
    power_on_hours: 2401,
    media_errors: 0,
  },
});

/** What it says of an SSD on SATA: life left as an attribute that falls from 100, and one that must not be taken for it. */
export const SMART_SATA = JSON.stringify({
  smartctl: { version: [7, 3], exit_status: 8 },
  device: { name: "/dev/sda", type: "sat", protocol: "ATA" },
  smart_status: { passed: false },
  ata_smart_attributes: {
    revision: 1,
    table: [
      { id: 5, name: "Reallocated_Sector_Ct", value: 100, worst: 100, thresh: 0, raw: { value: 0, string: "0" } },
      { id: 230, name: "Media_Wearout_Indicator", value: 1, worst: 1, thresh: 0, raw: { value: 1099511627823, string: "0x010f005a010f" } },
      { id: 233, name: "Media_Wearout_Indicator", value: 13, worst: 13, thresh: 0, raw: { value: 4262, string: "4262" } },
    ],
  },
});
