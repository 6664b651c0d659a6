import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatFault, NAMED_SETTINGS, resolveConfiguration } from "../../src/config/index.ts";

const word = fc.oneof(fc.constantFrom(...NAMED_SETTINGS.flatMap((s) => [s.section, s.name, s.flag])), fc.string({ maxLength: 20 }));
const scalar = fc.oneof(fc.integer(), fc.double(), fc.boolean(), fc.string(), fc.date(), fc.array(fc.integer(), { maxLength: 3 }));

test("configuration: any document, environment and flags, a verdict and never a throw", () => {
  const document = fc.dictionary(word, fc.oneof(scalar, fc.dictionary(word, scalar, { maxKeys: 4 })), { maxKeys: 5 });
  const environment = fc.dictionary(
    word.map((text) => `BIZRA_${text.toUpperCase()}`),
    fc.string(),
    { maxKeys: 4 },
  );
  const flags = fc.dictionary(word, fc.string(), { maxKeys: 4 });
  fc.assert(
    fc.property(document, environment, flags, fc.string(), (content, variables, given, text) => {
      const resolved = resolveConfiguration({
        document: { path: "node.toml", text, document: content },
        environment: variables,
        flags: given,
      });
      if (resolved.ok) return;
      expect(resolved.error.length).toBeGreaterThan(0);
      for (const fault of resolved.error) expect(formatFault(fault)).toEndWith(".");
    }),
    { numRuns: 300 },
  );
});
