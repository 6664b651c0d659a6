import { afterEach, expect, test } from "bun:test";
import { PAGE_PATHS } from "../../../../src/gateway/routes/page.ts";
import { startTestGateway, stopTestGateway, type TestGateway } from "../test-gateway.ts";

const open: TestGateway[] = [];
afterEach(async () => {
  for (const gateway of open.splice(0)) await stopTestGateway(gateway);
});

test("page: a node that runs from source, 404 with the reason; other methods 405; the strictest policy on both", async () => {
  const gateway = startTestGateway({});
  open.push(gateway);
  for (const path of PAGE_PATHS) {
    const absent = await fetch(`${gateway.gateway.url}${path}`);
    expect(absent.status).toBe(404);
    expect(((await absent.json()) as { detail: string }).detail).toContain("part of the compiled binary");
    const posted = await fetch(`${gateway.gateway.url}${path}`, { method: "POST" });
    expect(posted.status).toBe(405);
    for (const answer of [absent, posted])
      expect(answer.headers.get("content-security-policy")).toBe("default-src 'none'; frame-ancestors 'none'");
  }
});
