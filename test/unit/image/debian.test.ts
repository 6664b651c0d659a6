import { describe, expect, test } from "bun:test";
import { readChoices } from "../../../image/debian/archive.ts";
import { compareWithLock, type DebianPackage, parseControl, parseLock } from "../../../image/debian/control.ts";
import { chooseMirror } from "../../../image/debian/mirror.ts";
import { packagesOf } from "../../../image/debian/package-sets.ts";

const HASH = "a".repeat(64);
const bash: DebianPackage = { name: "bash", version: "5.2-1", architecture: "amd64", source: "bash 5.2-1", sha256: HASH };

describe("Debian", () => {
  test("image: a control file, gives name, version, architecture and source", () => {
    const text = "Package: libc6\nVersion: 2.41-12\nSource: glibc\nArchitecture: amd64\nDescription: C\n Version: not this\n";
    expect(parseControl(text, HASH)).toEqual({
      name: "libc6",
      version: "2.41-12",
      architecture: "amd64",
      source: "glibc 2.41-12",
      sha256: HASH,
    });
    expect(parseControl("Package: x\nVersion: 2+b1\nSource: y (2)\nArchitecture: all\n", HASH)?.source).toBe("y 2");
    expect(parseControl("Package: x\nArchitecture: all\n", HASH)).toBeUndefined();
  });

  test("image: a simulated installation, names every package with its version", () => {
    const said = `Reading package lists...
Inst gcc-14-base (14.2.0-19 Debian:13.6/stable [amd64])
Inst libc6:amd64 (2.41-12+deb13u4 Debian:13.6/stable, Debian-Security:13/stable-security [amd64]) []
Inst tzdata (2026c-0+deb13u1 Debian:13.6/stable [all])
Conf gcc-14-base (14.2.0-19 Debian:13.6/stable [amd64])`;
    expect(readChoices(said)).toEqual([
      { name: "gcc-14-base", version: "14.2.0-19", architecture: "amd64" },
      { name: "libc6", version: "2.41-12+deb13u4", architecture: "amd64" },
      { name: "tzdata", version: "2026c-0+deb13u1", architecture: "all" },
    ]);
  });

  test("image: the mirror, is that of a release whose security updates are configured too", () => {
    const lines =
      "https://other.example/ nodistro\nhttp://a.example/debian/ bookworm-updates\nhttp://a.example/debian/ bookworm\nhttp://s.example/ bookworm-security\n";
    expect(chooseMirror(lines)).toEqual({ main: "http://a.example/debian/", security: "http://s.example/" });
    expect(chooseMirror("http://a.example/ bookworm\n")).toBeUndefined();
    expect(chooseMirror("")).toBeUndefined();
  });

  test("image: a lock, reads back, and a wrong one is refused", () => {
    const lock = { suite: "trixie", packages: [bash] };
    expect(parseLock(JSON.stringify(lock))).toEqual({ ok: true, value: lock });
    for (const wrong of ["{", "[]", "{}", JSON.stringify({ ...lock, more: 1 }), JSON.stringify({ suite: "trixie", packages: [] })])
      expect(parseLock(wrong).ok).toBe(false);
  });

  test("image: packages that are not those of the lock, are each named", () => {
    const lock = { suite: "trixie", packages: [bash, { ...bash, name: "dash" }] };
    expect(compareWithLock(lock.packages, lock)).toEqual([]);
    const found = compareWithLock(
      [
        { ...bash, version: "5.2-2" },
        { ...bash, name: "mawk" },
      ],
      lock,
    );
    expect(found).toEqual(["bash is 5.2-2, the lock says 5.2-1", "mawk 5.2-1 is not in the lock", "dash of the lock is missing"]);
    expect(
      compareWithLock(
        [
          { ...bash, sha256: "b".repeat(64) },
          { ...bash, name: "dash" },
        ],
        lock,
      ),
    ).toEqual(["bash 5.2-1 has other bytes than the lock says"]);
  });

  test("image: each kind of image, takes its own kernel and loader", () => {
    expect(packagesOf("arm64", "cloud")).toMatchObject({ kernelOf: "linux-image-cloud-arm64", parts: { grub: "grub-efi-arm64-bin" } });
    expect(packagesOf("amd64", "generic").kernelOf).toBe("linux-image-amd64");
  });
});
