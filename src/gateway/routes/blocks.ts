import { z } from "@hono/zod-openapi";
import { toHex } from "../../kernel/index.ts";
import type { Call } from "../call.ts";
import { defineEndpoint, type Endpoint, jsonResponse } from "../endpoint.ts";
import { BLOCKS_PER_PAGE_MAX } from "../limits.ts";
import type { BlockQueries, BlockView } from "../ports.ts";
import { type Problem, ProblemError } from "../problem.ts";
import { blockPageSchema, blockSchema } from "../schemas/chain.ts";
import { integerParameter } from "../schemas/values.ts";
import { renderBlock } from "../views/render.ts";
import { renderArchive } from "../views/resources.ts";
import type { RouteContext } from "./context.ts";

const PAGE_DEFAULT = 20;

/** GET /blocks and /blocks/{height}. */
export function blockEndpoints(context: RouteContext): readonly Endpoint[] {
  return [blockEndpoint(context), pageEndpoint(context)];
}

function blockEndpoint({ ports: { blocks } }: RouteContext): Endpoint {
  return defineEndpoint({
    method: "get",
    path: "/blocks/{height}",
    name: "getBlock",
    summary: "A final block",
    params: z.object({
      height: z
        .string()
        .regex(/^(latest|\d{1,15})$/, "expected a height or latest")
        .openapi({ description: "A height, or latest", example: "latest" }),
    }),
    success: { status: 200, description: "Header, batches and finalization", content: { "application/json": blockSchema } },
    isTagged: true,
    problems: ["malformed", "notFound", "pruned"],
    answer: async ({ params, call }) => {
      const height = params.height === "latest" ? await blocks.latestHeight() : Number(params.height);
      const block = height > 0 ? await blocks.find(height) : undefined;
      if (!block) throw new ProblemError(await absence(height, blocks));
      return params.height === "latest" ? jsonResponse(renderBlock(block)) : immutableBlock(block, call);
    },
  });
}

function pageEndpoint({ ports: { blocks } }: RouteContext): Endpoint {
  return defineEndpoint({
    method: "get",
    path: "/blocks",
    name: "listBlocks",
    summary: "Final blocks in ascending order",
    query: z.object({
      from: integerParameter({ min: 0, max: Number.MAX_SAFE_INTEGER, description: "First height; the newest page when absent" }),
      limit: integerParameter({ min: 1, max: BLOCKS_PER_PAGE_MAX, fallback: PAGE_DEFAULT, description: "Blocks at most" }),
    }),
    success: { status: 200, description: "A page of blocks", content: { "application/json": blockPageSchema } },
    problems: ["malformed"],
    answer: async ({ query }) => {
      const limit = query.limit ?? PAGE_DEFAULT;
      const latestHeight = await blocks.latestHeight();
      const from = Math.max(1, query.from ?? latestHeight - limit + 1);
      const lowestHeight = await blocks.lowestHeight();
      const isBelow = query.from !== undefined && query.from < lowestHeight && lowestHeight > 1;
      const pruned = isBelow ? { pruned: { lowestHeight, archives: (await blocks.archives()).map(renderArchive) } } : {};
      const found = from <= latestHeight ? await blocks.list(from, limit) : [];
      const last = found.at(-1)?.header.height;
      const next = last !== undefined && last < latestHeight ? { next: last + 1 } : {};
      return jsonResponse({ blocks: found.map(renderBlock), latestHeight, ...next, ...pruned });
    },
  });
}

async function absence(height: number, blocks: BlockQueries): Promise<Problem> {
  const latest = await blocks.latestHeight();
  if (height === 0) return { code: "notFound", detail: "height 0 is genesis, which is no block: see /api/v2/genesis" };
  if (height > latest) return { code: "notFound", detail: `the latest final height is ${latest}, ${height} lies above it` };
  return prunedProblem(blocks);
}

/** That what was asked for lies below what is kept here, and who has it. */
export async function prunedProblem(blocks: BlockQueries): Promise<Problem> {
  const lowestHeight = await blocks.lowestHeight();
  const archives = (await blocks.archives()).map(renderArchive);
  const whom = archives.length > 0 ? "archives are named here" : "no archive is known; ask a node that has the whole chain";
  return { code: "pruned", detail: `the blocks kept here begin at height ${lowestHeight}; ${whom}`, members: { lowestHeight, archives } };
}

/**
 * A block by height never changes on its chain, so it has an entity tag. It is not marked immutable: the same address
 * may serve another chain tomorrow (a demo begun afresh), and asking whether the tag still holds costs no body. The tag
 * is weak because nodes may hold different signers of the same finalization.
 */
function immutableBlock(block: BlockView, call: Call): Response {
  const tag = `W/"${toHex(block.hash)}"`;
  const headers = { etag: tag, "cache-control": "public, no-cache" };
  const known = call.request.headers.get("if-none-match") ?? "";
  if (known.split(",").some((candidate) => candidate.trim() === tag)) return new Response(null, { status: 304, headers });
  return jsonResponse(renderBlock(block), 200, headers);
}
