/**
 * Floor 5. How a box gets from the factory into a network: keys of its own, then a plan that an operator puts on its small
 * FAT partition (or gives to the local console), then enrolment at the aggregator, then nothing is left to do.
 *
 * Invariants: a plan with any mistake changes nothing and is answered by sentences in status.txt; a power cut at any
 * instant is gone on from; keys are made once; a token is used for nothing but the enrolment and is gone afterwards; there is
 * always one way in for an administrator, a password or a one-time code. Knows the node only as a port; never makes
 * a file system, never runs a program.
 */
export { normalCode } from "./admin-code.ts";
export * from "./document.ts";
export { asciiOf } from "./field.ts";
export { linuxFiles } from "./linux-files.ts";
/** What provisioning does to the box, behind a port. */
export type { BoxConditions, BoxFiles, BoxNode, EnrolmentOutcome, ProvisioningPaths, ProvisioningPlatform } from "./platform.ts";
export { PROVISION_STATES, type ProvisionState, type PublicKeys, parseProgress } from "./progress.ts";
export { MEDIUM, Provisioner, type ProvisioningStatus } from "./provisioner.ts";
export { fingerprintOf } from "./status-text.ts";
