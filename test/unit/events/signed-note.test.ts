import { describe, expect, test } from "bun:test";
import { localSigner, sha256, verifyEd25519 } from "../../../src/crypto/index.ts";
import { formatNoteKey, noteKeyId, openNote, parseBase64, signNote } from "../../../src/events/index.ts";
import { toHex, utf8 } from "../../../src/kernel/index.ts";

const signer = localSigner(sha256(utf8("a log")));
const TEXT = "bizra/x\n3\nAAAA\n";

/** The example of Go's package note (golang.org/x/mod/sumdb/note, BSD-3-Clause), made by an independent implementation. */
const OUTSIDE = {
  name: "PeterNeumann",
  key: parseBase64("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")?.subarray(1) ?? new Uint8Array(32),
  text: "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
  signature: "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=",
};

describe("signed note", () => {
  test("note: an example of an independent implementation, opens", () => {
    const note = `${OUTSIDE.text}\n\u2014 ${OUTSIDE.name} ${OUTSIDE.signature}\n`;
    expect(toHex(noteKeyId(OUTSIDE.name, OUTSIDE.key))).toBe("c74f20a3");
    expect(formatNoteKey(OUTSIDE.name, OUTSIDE.key)).toBe("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
    expect(openNote(note, OUTSIDE.name, OUTSIDE.key, verifyEd25519)).toEqual({ ok: true, value: OUTSIDE.text });
    expect(openNote(note.replace("answer", "Answer"), OUTSIDE.name, OUTSIDE.key, verifyEd25519)).toEqual({
      ok: false,
      error: "badSignature",
    });
  });

  test("note: signed and opened, the text; with further signatures of others too", () => {
    const note = signNote(signer, "bizra/x", TEXT);
    expect(openNote(note, "bizra/x", signer.publicKey, verifyEd25519)).toEqual({ ok: true, value: TEXT });
    const witnessed = `${note}\u2014 witness ${OUTSIDE.signature}\n`;
    expect(openNote(witnessed, "bizra/x", signer.publicKey, verifyEd25519)).toEqual({ ok: true, value: TEXT });
  });

  test("note: any byte changed, refused", () => {
    const note = utf8(signNote(signer, "bizra/x", TEXT));
    for (let at = 0; at < note.length; at++) {
      const flipped = note.slice();
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      expect(openNote(new TextDecoder().decode(flipped), "bizra/x", signer.publicKey, verifyEd25519).ok).toBe(false);
    }
  });

  test("note: another key, none of its lines, or no note at all, refused by code", () => {
    const note = signNote(signer, "bizra/x", TEXT);
    expect(openNote(note, "bizra/y", signer.publicKey, verifyEd25519)).toEqual({ ok: false, error: "unknownKey" });
    expect(openNote(note, "bizra/x", OUTSIDE.key, verifyEd25519)).toEqual({ ok: false, error: "unknownKey" });
    for (const malformed of ["", "\n", "text\n", "text\n\n", `${TEXT}\nno dash\n`, note.slice(0, -1), note.replace("3", "\t")]) {
      expect(openNote(malformed, "bizra/x", signer.publicKey, verifyEd25519)).toEqual({ ok: false, error: "malformed" });
    }
  });

  test("note: a name with a space or a plus, or a text without end of line, a defect of the caller", () => {
    expect(() => signNote(signer, "a b", TEXT)).toThrow();
    expect(() => signNote(signer, "a+b", TEXT)).toThrow();
    expect(() => signNote(signer, "a", "text")).toThrow();
  });
});
