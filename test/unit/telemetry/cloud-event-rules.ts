/** The rules of CloudEvents 1.0.2 for the JSON format in structured mode, as far as an event of this project can break them. */

const CORE = ["specversion", "id", "source", "type", "time", "datacontenttype", "subject", "dataschema", "data", "data_base64"];
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** What is wrong with an event, in sentences; empty when it conforms. @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md */
export function faultsOf(event: Readonly<Record<string, unknown>>): string[] {
  const faults: string[] = [];
  const text = (name: string): string => (typeof event[name] === "string" ? event[name] : "");
  if (event["specversion"] !== "1.0") faults.push("specversion MUST be 1.0");
  for (const name of ["id", "source", "type"]) if (text(name) === "") faults.push(`${name} is REQUIRED and MUST be a non-empty string`);
  if (!URL.canParse(text("source"), "http://base/")) faults.push("source MUST be a URI-reference");
  if (event["time"] !== undefined && !RFC3339.test(text("time"))) faults.push("time MUST be an RFC 3339 timestamp");
  if (event["datacontenttype"] !== undefined && !/^[\w.+-]+\/[\w.+-]+/.test(text("datacontenttype")))
    faults.push("datacontenttype MUST be an RFC 2046 media type");
  if ("data" in event && "data_base64" in event) faults.push("data and data_base64 MUST NOT both be there");
  for (const [name, value] of Object.entries(event)) {
    if (CORE.includes(name)) continue;
    if (!/^[a-z0-9]{1,20}$/.test(name)) faults.push(`the extension ${name} MUST be lower-case letters and digits, SHOULD NOT exceed 20`);
    if (!["string", "boolean"].includes(typeof value) && !Number.isInteger(value))
      faults.push(`the extension ${name} has no CloudEvents type`);
  }
  return faults;
}
