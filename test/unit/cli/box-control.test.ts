import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { controlSocketOf } from "../../../src/cli/box/box-files.ts";
import { ControlDoor, ControlRefused } from "../../../src/cli/box/control.ts";
import { askBox, requireBox } from "../../../src/cli/box/control-client.ts";
import { findAggregatorUp } from "../../../src/cli/box/node-facts.ts";

const place = mkdtempSync(join(tmpdir(), "bizra-control-"));
afterAll(() => rmSync(place, { recursive: true, force: true }));

function newHome(): string {
  const home = mkdtempSync(join(place, "home-"));
  mkdirSync(join(home, "box"));
  return home;
}

describe("the door of a box", () => {
  test("box: asked and answered, with what was sent along", async () => {
    const home = newHome();
    const door = ControlDoor.open(home, { "POST /echo": async (body) => ({ heard: body }), "GET /quiet": () => undefined });
    expect(await askBox(home, "POST", "/echo", { word: "hello" })).toEqual({ heard: { word: "hello" } });
    expect(await askBox(home, "GET", "/quiet")).toEqual({});
    await door.close();
    expect(existsSync(join(home, "box/control.sock"))).toBe(false);
  });

  test("box: refused, the code and the sentence; an unknown command of another release, too", async () => {
    const home = newHome();
    const door = ControlDoor.open(home, {
      "POST /never": () => {
        throw new ControlRefused("busy", "something is under way");
      },
    });
    expect(askBox(home, "POST", "/never")).rejects.toThrow("something is under way (busy)");
    expect(askBox(home, "POST", "/constructor")).rejects.toThrow("(unknownCommand)");
    await door.close();
  });

  test("box: what is sent is no JSON object, malformed", async () => {
    const home = newHome();
    const door = ControlDoor.open(home, { "POST /echo": (body) => body });
    const unix = controlSocketOf(home) ?? "";
    for (const body of ["{", "[]", "7", "null"]) {
      const answer = await fetch("http://box/echo", { unix, method: "POST", body });
      expect([body, answer.status, ((await answer.json()) as { code: string }).code]).toEqual([body, 400, "malformed"]);
    }
    await door.close();
  });

  test("box: nobody there, or a socket that was left over, said; it is taken over by the next", async () => {
    const home = newHome();
    expect(await askBox(home, "GET", "/status")).toBeUndefined();
    writeFileSync(join(home, "box/control.sock"), "");
    expect(requireBox(home, "GET", "/status")).rejects.toThrow("(boxNotRunning)");
    const door = ControlDoor.open(home, { "GET /status": () => ({ ok: true }) });
    expect(await askBox(home, "GET", "/status")).toEqual({ ok: true });
    await door.close();
  });

  test("box: a home whose path is too long for a socket's name, said and not cut", () => {
    const home = join(place, "x".repeat(120));
    expect(controlSocketOf(home)).toBeUndefined();
    expect(() => ControlDoor.open(home, {})).toThrow("too long for a socket's name");
  });
});

describe("the aggregator of a node", () => {
  test.each<[string, string, boolean | undefined]>([
    ["none", "bizra_height 7\n", undefined],
    ["one that is reached", 'bizra_sync_up{aggregator="1"} 1\n', true],
    ["one that is not", "# TYPE bizra_sync_up gauge\nbizra_sync_up 0\n", false],
    ["two, of which one is reached", 'bizra_sync_up{aggregator="1"} 0\nbizra_sync_up{aggregator="2"} 1\n', true],
  ])("box: metrics that tell of %s", (_name, metrics, expected) => {
    expect(findAggregatorUp(metrics)).toBe(expected);
  });
});
