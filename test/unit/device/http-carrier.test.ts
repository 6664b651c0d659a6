import { expect, test } from "bun:test";
import { sha256 } from "../../../src/crypto/portable.ts";
import { HttpCarrier } from "../../../src/device/index.ts";
import { err, ok, type Timers, toHex, utf8 } from "../../../src/kernel/index.ts";
import { JumpingTime } from "../../fuzz/device-world.ts";

const id = sha256(utf8("id"));
const encoded = utf8("transaction");
const never: Timers = { after: () => () => {} };

/** A carrier whose node answers as told; asked for by path. */
function carrierOf(answer: (path: string, init: RequestInit) => Response | Promise<Response>, timers: Timers = never): HttpCarrier {
  return new HttpCarrier({ url: "http://node/", timers, fetch: async (url, init) => answer(url.slice("http://node".length), init) });
}

const json = (status: number, body: unknown, headers: Record<string, string> = {}): Response =>
  new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers });

test("device http: submissions as the interface answers them; an answer that is none, or about another, says nothing", async () => {
  const submit = (response: Response) => carrierOf(() => response).submit({ id, encoded });
  const accepted = (name: string) => json(202, { transactions: [{ id: name, status: "accepted" }] });
  expect(await submit(accepted(toHex(id)))).toEqual({ kind: "accepted" });
  expect(await submit(json(409, { code: "duplicate" }))).toEqual({ kind: "executed" });
  expect(await submit(json(422, { code: "feeTooLow", detail: "more" }))).toEqual({ kind: "refused", code: "feeTooLow", detail: "more" });
  expect(await submit(json(503, { code: "mempoolFull", detail: "full" }, { "retry-after": "7" }))).toEqual({
    kind: "refused",
    code: "mempoolFull",
    detail: "full",
    retryAfterMs: 7_000,
  });
  for (const response of [
    accepted("00"),
    json(202, "[]"),
    json(502, "<html>"),
    json(200, { code: "feeTooLow" }),
    json(202, "x".repeat(300_000)),
  ])
    expect((await submit(response)).kind).toBe("noAnswer");
});

test("device http: the end is waited for on the node and the proof fetched as CBOR", async () => {
  const paths: string[] = [];
  const carrier = carrierOf((path, { headers }) => {
    paths.push(`${path} ${JSON.stringify(headers ?? {})}`);
    return path.endsWith("/proof") ? new Response("a proof") : json(200, { status: "final" });
  });
  expect(await carrier.lookUp(id, 1_500)).toEqual({ kind: "proof", bundle: utf8("a proof") });
  expect(paths).toEqual([
    `/api/v2/transactions/${toHex(id)}?wait=final&timeoutMs=1500 {}`,
    `/api/v2/transactions/${toHex(id)}/proof {"accept":"application/cbor"}`,
  ]);
  for (const [status, kind] of [
    ["accepted", "pending"],
    ["expired", "expired"],
    ["superseded", "superseded"],
    ["unknown", "unknown"],
    ["ofALaterRelease", "noAnswer"],
  ] as const)
    expect((await carrierOf(() => json(200, { status })).lookUp(id, 0)).kind).toBe(kind);
  const withoutProof = carrierOf((path) => (path.endsWith("/proof") ? json(404, {}) : json(200, { status: "final" })));
  expect((await withoutProof.lookUp(id, 0)).kind).toBe("noAnswer");
});

test("device http: terms and accounts, and what is not understood told in a sentence", async () => {
  const status = { genesisHash: "ab".repeat(32), height: 7, minimumFee: "1000" };
  expect(await carrierOf(() => json(200, status)).terms()).toEqual(
    ok({ genesisHash: new Uint8Array(32).fill(0xab), height: 7n, minimumFee: 1_000n }),
  );
  const account = { balance: "18446744073709551615", pendingNonce: "3", device: { owner: "bz1" } };
  expect(await carrierOf(() => json(200, account)).account(id)).toEqual(
    ok({ balance: 18_446_744_073_709_551_615n, pendingNonce: 3n, isSponsored: true }),
  );
  for (const body of [{ ...status, height: -1 }, { ...status, genesisHash: "ab" }, {}, [], "<html>"])
    expect((await carrierOf(() => json(200, body)).terms()).ok).toBe(false);
  expect(await carrierOf(() => json(200, "the document")).genesis()).toEqual(ok("the document"));
  expect(await carrierOf(() => json(503, {})).genesis()).toEqual(err("status 503"));
});

test("device http: a node that cannot be reached, and one that never answers, given up in time", async () => {
  const unreachable = carrierOf(() => Promise.reject(new TypeError("fetch failed")));
  expect(await unreachable.submit({ id, encoded })).toEqual({ kind: "noAnswer", detail: "fetch failed" });
  const time = new JumpingTime();
  const hanging = carrierOf(
    (_path, { signal }) => new Promise((_resolve, reject) => signal?.addEventListener("abort", () => reject(new Error("cut off")))),
    time,
  );
  let told: unknown;
  void hanging.lookUp(id, 20_000).then((look) => {
    told = look;
  });
  expect(await time.until(() => told !== undefined, 60_000)).toBe(true);
  expect(time.nowMs()).toBe(30_000);
  expect(told).toEqual({ kind: "noAnswer", detail: "cut off" });
});
