import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  ENROLMENT_FILES,
  type EnrolledAs,
  type EnrolmentFault,
  type EnrolmentPlan,
  type EnrolmentSurroundings,
  enrol,
  readBundle,
} from "../../sync/agent/index.ts";
import { type Configuration, loadConfiguration } from "../config/index.ts";
import { readCertificate } from "../crypto/index.ts";
import { err, type Result, toHex } from "../kernel/index.ts";
import { changeSettings } from "./settings-file.ts";

/** Why a home is not enrolled. `settings`: it has its certificate, and node.toml could not be changed. */
export type EnrollingFault = { readonly code: EnrolmentFault["code"] | "settings"; readonly detail: string };

/**
 * Enrols a home at an aggregator and has its node bring its events there: the one way for `bizra enroll`, a box that is provisioned,
 * and a node that finds a token. Killed at any moment, the same goes on. The node takes the settings up at its next start.
 */
export async function enrolHome(
  plan: EnrolmentPlan,
  surroundings: Omit<EnrolmentSurroundings, "onEnrolled"> & {
    /** Called when certificate and settings are durable, before the request is forgotten: what is no longer needed may go. */
    readonly onSettled?: () => void;
  },
): Promise<Result<EnrolledAs, EnrollingFault>> {
  let fault: string | undefined;
  const enrolled = await enrol(plan, {
    ...surroundings,
    onEnrolled: ({ witnessKey }) => {
      fault = setUpSync(plan.home, plan.url, witnessKey);
      surroundings.onSettled?.();
    },
  });
  return fault === undefined ? enrolled : err({ code: "settings", detail: fault });
}

/** Whether a home has a certificate, the authority and the settings of an aggregator. */
export function isEnrolledAt(home: string, url: string, pin: string): boolean {
  const authority = join(home, ENROLMENT_FILES.authority);
  const loaded = loadConfiguration({ home, flags: {} });
  return (
    loaded.ok &&
    loaded.value.values.sync.aggregators.includes(url) &&
    readBundle(join(home, ENROLMENT_FILES.bundle)) !== undefined &&
    existsSync(authority) &&
    readCertificate(readFileSync(authority, "utf8"))?.fingerprint === pin.toLowerCase()
  );
}

/** Has the node bring its events to an aggregator, by node.toml: all else that was there stays. Gives why not. */
function setUpSync(home: string, url: string, witnessKey: Uint8Array): string | undefined {
  const loaded = loadConfiguration({ home, flags: {} });
  const values = loaded.ok
    ? settingsOf(loaded.value.values.sync, url, witnessKey)
    : settingsOf({ aggregators: [], witnessKeys: [] }, url, witnessKey);
  const fault = changeSettings(home, values);
  if (fault === undefined) return undefined;
  const wanted = Object.entries(values).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  return `the node has its certificate, but ${fault}; set there: ${wanted.join(", ")}`;
}

function settingsOf(
  { aggregators: before, witnessKeys: keys }: Pick<Configuration["sync"], "aggregators" | "witnessKeys">,
  url: string,
  witnessKey: Uint8Array,
): Readonly<Record<string, string>> {
  const known = before.indexOf(url);
  const place = known >= 0 ? known : Math.min(before.length, 1); // two at most: a third takes the second's place
  const aggregators = before.toSpliced(place, 1, url);
  const isPinned = keys.length > 0 || place === 0;
  const witnessKeys = keys.toSpliced(place, 1, toHex(witnessKey));
  return {
    "sync.aggregators": aggregators.join(","),
    "sync.caFile": ENROLMENT_FILES.authority,
    "sync.certificateFile": ENROLMENT_FILES.bundle,
    "sync.keyFile": ENROLMENT_FILES.bundle,
    ...(isPinned && witnessKeys.length >= aggregators.length ? { "sync.witnessKeys": witnessKeys.join(",") } : {}),
  };
}
