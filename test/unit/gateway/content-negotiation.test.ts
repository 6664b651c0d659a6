import { expect, test } from "bun:test";
import { chooseMediaType } from "../../../src/gateway/content-negotiation.ts";

const OFFERS = ["application/json", "application/cbor"] as const;

test("negotiation: no header or any type, the server's first offer", () => {
  for (const accept of [undefined, null, "", " ", "*/*", "application/*", "text/html, */*;q=0.1"]) {
    expect([accept, chooseMediaType(accept, OFFERS)]).toEqual([accept, "application/json"]);
  }
});

test("negotiation: qualities, the best; equals, the server's order; the most specific range counts", () => {
  expect(chooseMediaType("application/cbor", OFFERS)).toBe("application/cbor");
  expect(chooseMediaType("Application/CBOR ; Q=1, application/json;q=0.9", OFFERS)).toBe("application/cbor");
  expect(chooseMediaType("application/cbor;q=0.5, application/json;q=0.5", OFFERS)).toBe("application/json");
  expect(chooseMediaType("application/json;q=0.1, */*", OFFERS)).toBe("application/cbor");
  expect(chooseMediaType("application/json;q=0, application/*;q=0.2", OFFERS)).toBe("application/cbor");
});

test("negotiation: everything refused or nothing that is offered, undefined", () => {
  for (const accept of ["image/png", "application/cbor;q=0", "*/*;q=0", "application/cbor;q=nonsense", ",;,"]) {
    expect([accept, chooseMediaType(accept, OFFERS)]).toEqual([accept, undefined]);
  }
});
