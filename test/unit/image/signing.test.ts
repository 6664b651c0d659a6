import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { constants, createHash, createPublicKey, generateKeyPairSync, type KeyObject, publicDecrypt, X509Certificate } from "node:crypto";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkBootFiles, loaderKey, signBootFiles } from "../../../image/signing/boot-files.ts";
import { type BootKeys, openBootKeys } from "../../../image/signing/boot-keys.ts";
import { describeBootKeys, enrolmentFiles } from "../../../image/signing/enrolment.ts";
import { openPgpKey, openPgpSign, openPgpVerify } from "../../../image/signing/openpgp.ts";
import { encodeGuid, encodeSignatureList } from "../../../image/signing/signature-list.ts";
import { runTool } from "../../../image/tools.ts";

const TIME = 1_767_225_600;
const CONTENT = new TextEncoder().encode("kernel ".repeat(10_000));

let folder = "";
let keys: BootKeys;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "bizra-signing-"));
  mkdirSync(join(folder, "development"));
  keys = await openBootKeys(join(folder, "development"), "development");
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A maker's folder of boot keys: the development ones under another name. */
async function makersKeys(name: string): Promise<string> {
  const place = join(folder, name, "secure-boot");
  mkdirSync(place, { recursive: true });
  for (const role of ["db", "boot", "KEK", "PK"]) {
    const key = join(folder, "development/secure-boot", `${role}.key.pem`);
    const subject = ["-subj", `/O=Maker/CN=boxes ${role}`];
    await runTool("openssl", ["req", "-x509", "-key", key, "-sha256", "-days", "10", ...subject, "-out", join(place, `${role}.cert.pem`)]);
    if (role === "db" || role === "boot") copyFileSync(key, join(place, `${role}.key.pem`));
  }
  return place;
}

/** Whose a certificate is. */
function nameIn(certificate: Buffer): string {
  return new X509Certificate(certificate).subject.replaceAll("\\,", ",");
}

describe("OpenPGP", () => {
  const other = (): KeyObject => generateKeyPairSync("rsa", { modulusLength: 2_048 }).privateKey;

  test("image: a signature, is of these bytes by this key and no other, and equal for equal input", () => {
    const signature = openPgpSign(keys.boot, CONTENT, TIME);
    expect(openPgpVerify(createPublicKey(keys.boot), CONTENT, signature, TIME)).toBe(true);
    expect(openPgpSign(keys.boot, CONTENT, TIME)).toEqual(signature);
    expect(openPgpVerify(keys.boot, CONTENT.subarray(1), signature, TIME)).toBe(false);
    expect(openPgpVerify(other(), CONTENT, signature, TIME)).toBe(false);
    expect(openPgpVerify(keys.boot, CONTENT, signature, TIME + 1)).toBe(false);
    for (let at = 0; at < signature.length; at++) {
      const changed = Uint8Array.from(signature, (byte, index) => (index === at ? byte ^ 1 : byte));
      expect([at, openPgpVerify(keys.boot, CONTENT, changed, TIME)]).toEqual([at, false]);
    }
    for (const wrong of [new Uint8Array(), signature.subarray(0, -1), Buffer.concat([signature, Uint8Array.of(0)])])
      expect(openPgpVerify(keys.boot, CONTENT, wrong, TIME)).toBe(false);
  });

  test("image: the packets, stand in the form of RFC 4880", () => {
    const key = openPgpKey(keys.boot, TIME);
    expect([...key.subarray(0, 3)]).toEqual([0x99, (key.length - 3) >> 8, (key.length - 3) & 255]);
    expect([...key.subarray(3, 9)]).toEqual([4, 0x69, 0x55, 0xb9, 0x00, 1]); // version, time, RSA
    expect([...key.subarray(9, 11)]).toEqual([2_048 >> 8, 0]);
    expect([...key.subarray(-5)]).toEqual([0, 17, 1, 0, 1]); // 65537
    const fingerprint = createHash("sha1").update(key).digest();

    const signature = openPgpSign(keys.boot, CONTENT, TIME);
    expect(signature[0]).toBe(0x89);
    const body = signature.subarray(3);
    expect([...body.subarray(0, 12)]).toEqual([4, 0, 1, 8, 0, 6, 5, 2, 0x69, 0x55, 0xb9, 0x00]); // RSA, SHA-256, time
    expect([...body.subarray(12, 16)]).toEqual([0, 10, 9, 16]);
    expect([...body.subarray(16, 24)]).toEqual([...fingerprint.subarray(-8)]);
    const hash = createHash("sha256")
      .update(CONTENT)
      .update(body.subarray(0, 12))
      .update(Uint8Array.of(4, 0xff, 0, 0, 0, 12))
      .digest();
    expect([...body.subarray(24, 26)]).toEqual([...hash.subarray(0, 2)]);
    const number = body.subarray(28);
    const padded = Buffer.concat([new Uint8Array(256 - number.length), number]);
    const opened = publicDecrypt({ key: createPublicKey(keys.boot), padding: constants.RSA_PKCS1_PADDING }, padded);
    expect(opened.subarray(-32).toString("hex")).toBe(hash.toString("hex"));
  });

  test("image: files for the loader, a missing, unsigned or changed one is named", () => {
    const signed = new Map(
      signBootFiles(
        new Map([
          ["vmlinuz", CONTENT],
          ["slot.cfg", CONTENT.subarray(9)],
        ]),
        keys.boot,
      ),
    );
    expect([...signed.keys()]).toEqual(["vmlinuz", "vmlinuz.sig", "slot.cfg", "slot.cfg.sig"]);
    expect(checkBootFiles(signed, ["vmlinuz", "slot.cfg"], createPublicKey(keys.boot))).toEqual([]);
    signed.delete("slot.cfg.sig");
    signed.set("vmlinuz", CONTENT.subarray(1));
    expect(checkBootFiles(signed, ["vmlinuz", "slot.cfg", "initrd.zst"], createPublicKey(keys.boot))).toEqual([
      "vmlinuz is not what the boot key signed",
      "slot.cfg has no signature",
      "initrd.zst is missing",
    ]);
  });
});

describe("enrolment", () => {
  test("image: a list of one certificate, stands in the form of the UEFI specification", () => {
    expect(Buffer.from(encodeGuid("8be4df61-93ca-11d2-aa0d-00e098032b8c")).toString("hex")).toBe("61dfe48bca93d211aa0d00e098032b8c");
    const list = encodeSignatureList(Uint8Array.of(1, 2, 3));
    const view = new DataView(list.buffer);
    expect(Buffer.from(list.subarray(0, 16)).toString("hex")).toBe("a159c0a5e494a74a87b5ab155c2bf072");
    expect([view.getUint32(16, true), view.getUint32(20, true), view.getUint32(24, true)]).toEqual([list.length, 0, 19]);
    expect([...list.subarray(-3)]).toEqual([1, 2, 3]);
    expect(list.length).toBe(28 + 19);
  });

  test("image: what an operator enrols, is each certificate in both forms with a word on how", () => {
    const files = enrolmentFiles(keys);
    expect([...files.keys()]).toEqual([
      "KEYS/README.TXT",
      ...["db", "KEK", "PK"].flatMap((name) => [`KEYS/${name}.cer`, `KEYS/${name}.esl`]),
    ]);
    const named = (file: string): string => nameIn(Buffer.from(files.get(file) ?? []));
    expect(named("KEYS/PK.cer")).toContain("CN=BIZRA development PK, not for release");
    expect(new TextDecoder().decode(files.get("KEYS/README.TXT"))).toContain("1. db from db.cer");
    const { certificate, bootKey } = describeBootKeys(keys);
    expect(Buffer.from(certificate, "base64")).toEqual(Buffer.from(keys.certificates.db));
    const key = createPublicKey({ key: Buffer.from(bootKey, "base64"), format: "der", type: "spki" });
    expect(loaderKey(key)).toEqual(loaderKey(keys.boot));
  });
});

describe("boot keys", () => {
  test("image: keys that are not there, are made once for a development authority, and stamped", async () => {
    const again = await openBootKeys(join(folder, "development"), "development");
    expect(again.certificates).toEqual(keys.certificates);
    expect(readdirSync(join(folder, "development"))).toEqual(["secure-boot"]); // nothing is left of making them
    for (const role of ["db", "boot", "KEK", "PK"]) {
      const certificate = readFileSync(join(folder, "development/secure-boot", `${role}.cert.pem`));
      expect(nameIn(certificate)).toContain(`BIZRA development ${role}, not for release`);
    }
  });

  test("image: a release, is not signed with missing, development, mixed up, damaged or other than RSA keys", async () => {
    const good = await makersKeys("maker");
    expect((await openBootKeys(join(folder, "maker"), "release")).certificates.db).not.toEqual(keys.certificates.db);
    await expect(openBootKeys(join(folder, "nowhere"), "release")).rejects.toThrow("there is no db.cert.pem, no db.key.pem");
    await expect(openBootKeys(join(folder, "development"), "release")).rejects.toThrow("got a development one");

    const broken = async (name: string, change: (place: string) => unknown): Promise<string> => {
      const place = join(folder, name);
      cpSync(join(good, ".."), place, { recursive: true });
      await change(join(place, "secure-boot"));
      return place;
    };
    const none = await broken("none", (place) => rmSync(join(place, "boot.key.pem")));
    await expect(openBootKeys(none, "release")).rejects.toThrow("there is no boot.key.pem");
    const one = await broken("one", (place) =>
      copyFileSync(join(folder, "development/secure-boot/KEK.cert.pem"), join(place, "KEK.cert.pem")),
    );
    await expect(openBootKeys(one, "release")).rejects.toThrow("a maker's KEK.cert.pem");
    const mixed = await broken("mixed", (place) => copyFileSync(join(place, "db.key.pem"), join(place, "boot.key.pem")));
    await expect(openBootKeys(mixed, "release")).rejects.toThrow("the key of boot.cert.pem");
    const damaged = await broken("damaged", (place) => writeFileSync(join(place, "PK.cert.pem"), "no certificate"));
    await expect(openBootKeys(damaged, "release")).rejects.toThrow("expected a certificate at");
    const curve = await broken("curve", (place) =>
      runTool(
        "openssl",
        [
          "req",
          "-x509",
          "-newkey",
          "ec",
          "-pkeyopt",
          "ec_paramgen_curve:P-256",
          "-noenc",
          "-days",
          "10",
          "-subj",
          "/CN=maker",
          "-keyout",
          "boot.key.pem",
          "-out",
          "boot.cert.pem",
        ],
        { cwd: place },
      ),
    );
    await expect(openBootKeys(curve, "release")).rejects.toThrow("an RSA key of 2048 to 4096 bits");
  }, 60_000);
});
