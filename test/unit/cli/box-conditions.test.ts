import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FAULT_FOLDER, INITRD_SCRIPT } from "../../../image/boot/initrd-script.ts";
import { type ConditionPlaces, conditionsOf, findStorageFaults } from "../../../src/cli/box/conditions.ts";

let folder = "";
let home = "";
let places: ConditionPlaces;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bizra-conditions-"));
  home = join(folder, "home");
  mkdirSync(join(home, "box"), { recursive: true });
  mkdirSync(join(folder, "faults"));
  places = { faults: join(folder, "faults"), mounts: join(folder, "mounts"), sshServers: [join(folder, "sshd")] };
  writeFileSync(places.mounts, `/dev/vda9 ${folder} ext4 rw,noatime 0 0\n`);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const codes = (): string[] => findStorageFaults(home, places).map(({ code }) => code);

describe("conditions of a box", () => {
  test("box: a machine on which nothing is wrong, or that is no image, has none", () => {
    expect(conditionsOf(home, places)).toEqual({ isBeingReset: false, notes: [], hasSshServer: false });
    expect(conditionsOf(join(folder, "absent"), { ...places, mounts: join(folder, "absent") }).notes).toEqual([]);
  });

  test("box: a data partition that could not be used, has the box stand still, and is said once", () => {
    writeFileSync(join(places.faults, "data-failed"), "");
    const { standstill, notes } = conditionsOf(home, places);
    expect(standstill).toMatch(/^The data partition cannot be used.*runs on memory/);
    expect(notes).toEqual([]);
  });

  test("box: a signing state that could not be mounted, is a note, and the box goes on", () => {
    writeFileSync(join(places.faults, "signstate-failed"), "");
    const { standstill, notes } = conditionsOf(home, places);
    expect(standstill).toBeUndefined();
    expect(notes).toHaveLength(1);
    expect(notes[0]).toContain("signs nothing and only follows");
  });

  test("box: a data partition that turned read-only, is told with its place, and nothing is begun on it", () => {
    writeFileSync(places.mounts, `/dev/vda4 / erofs ro 0 0\n/dev/vda9 ${folder} ext4 ro,noatime 0 0\n`);
    expect(codes()).toEqual(["dataReadOnly"]);
    expect(conditionsOf(home, places).standstill).toContain(`${folder} has turned read-only`);
  });

  test("box: the first program of an image, names its faults as they are looked for", () => {
    expect(FAULT_FOLDER).toBe("/run/bizra");
    for (const name of ["data-failed", "signstate-failed"]) expect(INITRD_SCRIPT).toContain(`: >${FAULT_FOLDER}/${name}\n`);
  });

  test("box: a reset that is under way, is seen by its order; an ssh server by its program", () => {
    writeFileSync(join(home, "box/reset"), "{}");
    writeFileSync(join(folder, "sshd"), "");
    expect(conditionsOf(home, places)).toMatchObject({ isBeingReset: true, hasSshServer: true });
  });
});
