import { expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { sha256 } from "../../../src/crypto/index.ts";
import { webRtcCertificate } from "../../../src/network/webrtc-certificate.ts";

const seed = new Uint8Array(32).fill(4);

test("webrtc certificate: read by another implementation, signed by the key beside it", () => {
  const { pem, privateKey, certhash } = webRtcCertificate(seed);
  const certificate = new X509Certificate(pem);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.checkPrivateKey(createPrivateKey(privateKey))).toBe(true);
  expect(certificate.subject).toBe("CN=bizra");
  expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
  expect(certhash).toBe(`u${Buffer.from([0x12, 0x20, ...sha256(certificate.raw)]).toString("base64url")}`);
});

test("webrtc certificate: the same at each start, another for another node", () => {
  expect(webRtcCertificate(seed)).toEqual(webRtcCertificate(seed));
  expect(webRtcCertificate(new Uint8Array(32).fill(5)).certhash).not.toBe(webRtcCertificate(seed).certhash);
});
