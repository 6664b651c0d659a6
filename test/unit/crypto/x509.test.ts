import { expect, test } from "bun:test";
import {
  certifiedKeyOf,
  makeCertificate,
  makeCertificateRequest,
  makeP256Key,
  makeSerial,
  readCertificate,
  readCertificateRequest,
} from "../../../src/crypto/index.ts";
import { Prng } from "../../../src/kernel/index.ts";

const prng = new Prng(7);
const entropy = { bytes: (count: number) => Uint8Array.from({ length: count }, () => prng.uint32() & 0xff) };

test("x509: a request of a P-256 key, read with its name and key", async () => {
  const key = makeP256Key(entropy);
  const der = await makeCertificateRequest(key, { commonName: "box-1", organization: "ab12" });
  const read = await readCertificateRequest(der);
  expect(read).toEqual({ ok: true, value: { name: { commonName: "box-1", organization: "ab12" }, publicKey: certifiedKeyOf(key) } });
});

test("x509: requests with any byte changed, cut or of garbage, refused or unchanged in what they say", async () => {
  const key = makeP256Key(entropy);
  const der = await makeCertificateRequest(key, { commonName: "box-1", organization: "ab12" });
  for (let at = 0; at < der.length; at += 3) {
    const changed = Uint8Array.from(der);
    changed[at] = (changed[at] ?? 0) ^ 0x41;
    expect([at, await readCertificateRequest(changed)]).toEqual([at, { ok: false, error: "malformed" }]);
    expect((await readCertificateRequest(der.slice(0, at))).ok).toBe(false);
  }
  expect((await readCertificateRequest(entropy.bytes(300))).ok).toBe(false);
  expect((await readCertificateRequest(new Uint8Array(5_000))).ok).toBe(false);
});

test("x509: certificates of an authority, whose facts are those of the plan", async () => {
  const key = makeP256Key(entropy);
  const times = { notBeforeMs: 1_800_000_000_000, notAfterMs: 1_800_086_400_000 };
  const plan = { subject: { commonName: "fleet" }, publicKey: certifiedKeyOf(key), serial: makeSerial(entropy), ...times, signingKey: key };
  const authority = await makeCertificate({ ...plan, use: { kind: "authority" }, issuer: undefined });
  const serial = makeSerial(entropy);
  const node = { subject: { commonName: "box-1", organization: "ab12" }, serial, publicKey: certifiedKeyOf(makeP256Key(entropy)) };
  const pem = await makeCertificate({ ...plan, ...node, use: { kind: "node" }, issuer: authority });
  expect(readCertificate(pem)).toMatchObject({ commonName: "box-1", serial, ...times });
  expect(readCertificate(authority)?.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  expect(readCertificate("no certificate")).toBeUndefined();
});
