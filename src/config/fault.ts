/** Where a configured value stands: what a message points at. */
export type Place =
  | { readonly kind: "default" }
  | { readonly kind: "file"; readonly path: string; readonly line?: number }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "flag"; readonly name: string };

/** What is wrong with a configuration, told so that it can be mended. */
export type ConfigurationFault = {
  readonly place: Place;
  /** Dotted key; absent when the fault is not about one setting. */
  readonly key?: string;
  /** The words after "expected". */
  readonly expected: string;
  /** The words after "got". */
  readonly got: string;
  /** What to do, as an instruction without its full stop. */
  readonly remedy: string;
};

/** The place as words. */
export function formatPlace(place: Place): string {
  switch (place.kind) {
    case "default":
      return "default";
    case "file":
      return place.line === undefined ? place.path : `${place.path}:${place.line}`;
    case "variable":
      return `environment variable ${place.name}`;
    case "flag":
      return `flag --${place.name}`;
  }
}

/** The fault as one sentence: where, which key, what was expected, what came (but no name and password of an address), how to mend it. */
export function formatFault(fault: ConfigurationFault): string {
  const key = fault.key === undefined ? "" : `${fault.key}: `;
  return `${formatPlace(fault.place)}: ${key}expected ${fault.expected}, got ${withoutCredentials(fault.got)}; ${fault.remedy}.`;
}

/** What came may be an address with credentials in it, and a message goes to logs. */
function withoutCredentials(text: string): string {
  return text.replace(/:\/\/[^/\s"]*@/g, "://***@");
}
