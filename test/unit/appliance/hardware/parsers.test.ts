import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseChrony, parseTimedatectl, timesyncState } from "../../../../appliance/hardware/clock-state.ts";
import { mountOf, parseMounts, readOnlyOf } from "../../../../appliance/hardware/mounts.ts";
import { emmcLife, smartLife } from "../../../../appliance/hardware/storage-life.ts";
import { hottestOf, isCooled, throttledWord } from "../../../../appliance/hardware/thermal.ts";
import { APPLIANCE_MOUNTS, SMART_NVME, SMART_SATA } from "./fixed-source.ts";

describe("hardware parsers", () => {
  test.each([
    ["0x02 0x03\n", "0x01\n", { usedPercent: 30, reserve: "normal" }],
    ["0x0b 0x01", "0x03", { usedPercent: 110, reserve: "urgent" }],
    ["0x00 0x00", "0x00", undefined], // not defined by the maker
    ["0x00 0x04", "0x00", { usedPercent: 40 }],
    ["", "0x02", { reserve: "warning" }],
    ["", "", undefined],
    ["garbage 0xff 2", "0x09", undefined],
  ])("hardware: an eMMC's life_time %p and pre_eol_info %p, what the standard says", (lifeTime, preEol, wanted) => {
    expect(emmcLife("mmcblk0", lifeTime, preEol)).toEqual(
      wanted && ({ device: "mmcblk0", source: "emmc", ...wanted } as ReturnType<typeof emmcLife>),
    );
  });

  test("hardware: SMART of NVMe and SATA, use and health; an attribute that counts the other way is not taken", () => {
    expect(smartLife("nvme0n1", SMART_NVME)).toEqual({
      device: "nvme0n1",
      source: "smart",
      usedPercent: 7,
      reserve: "normal",
      isHealthy: true,
    });
    expect(smartLife("sda", SMART_SATA)).toEqual({ device: "sda", source: "smart", usedPercent: 87, isHealthy: false });
    const spent = SMART_NVME.replace('"available_spare":100', '"available_spare":9').replace(
      '"percentage_used":7',
      '"percentage_used":104',
    );
    expect(smartLife("nvme0n1", spent)).toMatchObject({ usedPercent: 104, reserve: "urgent" });
    expect(smartLife("nvme0n1", SMART_NVME.replace('"available_spare":100', '"available_spare":15'))).toMatchObject({ reserve: "warning" });
    expect(smartLife("sda", '{"endurance_used":{"current_percent":4}}')).toMatchObject({ usedPercent: 4 });
    expect(smartLife("sda", "Usage: smartctl [options] device")).toBeUndefined();
    expect(smartLife("sda", '{"smartctl":{"exit_status":2,"messages":[{"string":"Permission denied"}]}}')).toBeUndefined();
  });

  test("hardware: mounts of an appliance, the file system of a path and whether it takes writes", () => {
    const mounts = parseMounts(APPLIANCE_MOUNTS);
    expect(mounts).toHaveLength(5);
    expect(mountOf(mounts, "/data/home")?.point).toBe("/data");
    expect(mountOf(mounts, "/data/with blank/x")?.device).toBe("/dev/mmcblk0p8");
    expect(mountOf(mounts, "/database")?.point).toBe("/");
    expect(readOnlyOf(mounts, ["/data/home", "/provision"])).toEqual([]);
    expect(readOnlyOf(mounts, ["/data/with blank/a", "/data/with blank/b", "/x"])).toEqual(["/data/with blank", "/"]);
    expect(readOnlyOf(parseMounts(APPLIANCE_MOUNTS.replace("rw,noatime,commit", "ro,noatime,commit")), ["/data/home"])).toEqual(["/data"]);
    expect(readOnlyOf(parseMounts("/dev/a / ext4 ro 0 0\n/dev/b / ext4 rw 0 0\n"), ["/x"])).toEqual([]); // the one mounted last counts
    expect(parseMounts("")).toEqual([]);
  });

  test.each([
    ["0\n", { isThrottled: false, isUndervolted: false, hasThrottled: false, hasUndervolted: false }],
    ["50005\n", { isThrottled: true, isUndervolted: true, hasThrottled: true, hasUndervolted: true }],
    ["throttled=0x50000\n", { isThrottled: false, isUndervolted: false, hasThrottled: true, hasUndervolted: true }],
    ["throttled=0x80008", { isThrottled: true, isUndervolted: false, hasThrottled: true, hasUndervolted: false }],
    ["e0000", { isThrottled: false, isUndervolted: false, hasThrottled: true, hasUndervolted: false }],
    ['error=1 error_msg="Command not registered"', undefined],
    ["", undefined],
  ])("hardware: the firmware's word %p, now and since the start", (text, wanted) => {
    expect(throttledWord(text)).toEqual(wanted);
  });

  test("hardware: heat, sensors that are off left out; a cooler of the processor, not a fan", () => {
    expect(hottestOf(["48250\n", "-273000\n", "51499\n", "", "nonsense"])).toBe(51.5);
    expect(hottestOf(["-273000\n"])).toBeUndefined();
    expect(isCooled([{ type: "gpio-fan\n", state: "1\n" }])).toBeUndefined();
    expect(
      isCooled([
        { type: "Processor\n", state: "0\n" },
        { type: "cpufreq-cpu0\n", state: "3\n" },
      ]),
    ).toBe(true);
    expect(isCooled([{ type: "Processor\n", state: "0\n" }])).toBe(false);
  });

  test("hardware: who sets the clock, and how far off it may be", () => {
    const line =
      "C0A80101,192.168.1.1,3,1767225600.123456789,0.000012345,-0.000004,0.000020,-12.345,0.001,0.050,0.020000000,0.001500000,64.5,Normal\n";
    expect(parseChrony(line)).toEqual({ isSynchronized: true, errorMs: 11.512 });
    expect(parseChrony(line.replace("Normal", "Not synchronised"))).toEqual({ isSynchronized: false });
    expect(parseChrony("506 Cannot talk to daemon\n")).toBeUndefined();
    expect(parseTimedatectl("Timezone=Etc/UTC\nNTP=yes\nNTPSynchronized=no\n")).toBe(false);
    expect(parseTimedatectl("NTPSynchronized=yes\n")).toBe(true);
    expect(parseTimedatectl("System has not been booted with systemd")).toBeUndefined();
    expect([timesyncState([], []), timesyncState(["timesync"], []), timesyncState(["timesync"], ["synchronized"])]).toEqual([
      undefined,
      false,
      true,
    ]);
  });

  test("hardware: any text, every parser says something of its type or nothing", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.json()), (text) => {
        const used = smartLife("d", text)?.usedPercent ?? emmcLife("d", text, text)?.usedPercent ?? 0;
        expect(used).toBeGreaterThanOrEqual(0);
        expect(parseMounts(text).every(({ point }) => typeof point === "string")).toBe(true);
        const judged = [throttledWord(text)?.isThrottled, parseChrony(text)?.isSynchronized, parseTimedatectl(text)];
        expect(judged.every((word) => word === undefined || typeof word === "boolean")).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});
