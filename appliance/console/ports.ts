import type { Result } from "../../src/kernel/index.ts";

/** Something that a person should know, the most urgent first. */
export type BoxFinding = { readonly severity: "error" | "warning" | "notice"; readonly detail: string };

/** What anybody who reaches the box may see: nothing of it is a secret. */
export type BoxGlance = {
  /** Name of the box, where it has one. */
  readonly name: string | undefined;
  /** factory, keyed, claimed, enrolled or ready. */
  readonly state: string;
  readonly isWell: boolean;
  /** What a fleet needs to claim the box; undefined before it has keys. */
  readonly claim:
    | { readonly node: string; readonly identity: string; readonly fingerprint: string; readonly genesis: string | undefined }
    | undefined;
};

/** Facts as label and value, in the order in which they are shown. */
export type BoxFacts = readonly (readonly [label: string, value: string])[];

/** How a box gets its address. */
export type BoxNetwork = {
  readonly method: "dhcp" | "static";
  readonly interface?: string | undefined;
  readonly address?: string | undefined;
  readonly gateway?: string | undefined;
  readonly dns?: readonly string[] | undefined;
};

/** How a box stands, for its administrator. */
export type BoxView = {
  readonly version: string;
  readonly findings: readonly BoxFinding[];
  /** What provisioning says. */
  readonly sentences: readonly string[];
  readonly node: BoxFacts;
  readonly hardware: BoxFacts;
  readonly update: BoxFacts;
  /** Addresses that the box has now, by interface. */
  readonly addresses: BoxFacts;
  /** The plan of the network, where there is one. */
  readonly network: BoxNetwork | undefined;
  /** Whether a plan can be changed: the box has one. */
  readonly canChangeNetwork: boolean;
};

/** The box, as its console needs it. Everything is a sentence or a figure; nothing gives a secret. */
export interface BoxDesk {
  glance(): BoxGlance;
  view(): Promise<BoxView>;
  /** Last lines of the node's output, secrets masked. */
  logs(): Promise<readonly string[]>;
  /** Files of the support bundle by name. */
  supportFiles(): Promise<Readonly<Record<string, string>>>;
  /** Takes a provision.json; the errors are its mistakes, and then nothing is changed. */
  propose(text: string): Result<void, readonly string[]>;
  /** Changes the network of the plan in force; the errors as those of `propose`. */
  changeNetwork(network: BoxNetwork): Result<void, readonly string[]>;
  /** Starts the node anew; a sentence when it cannot. */
  restartNode(): Promise<string | undefined>;
  /**
   * A factory reset of the box, with its node running or not.
   *
   * @param confirm what the administrator typed to say that he means it; the refusal names what is wanted
   * @returns a sentence when it is not done
   */
  reset(tier: "settings" | "everything", confirm: string): Promise<string | undefined>;
  /** Texts that must never leave the box, as they are now. */
  secrets(): readonly string[];
}

/** How an administrator gets in. */
export interface AdminBook {
  /** The one-time code; undefined while there is none. */
  code(): string | undefined;
  /** The code let somebody in; it is none any more when this returns. */
  useCode(): void;
  /** The password's hash, argon2id in PHC form. */
  passwordHash(): string | undefined;
  setPasswordHash(hash: string): void;
}
