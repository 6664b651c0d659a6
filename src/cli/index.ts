/**
 * Floor 7. The command line: parses arguments, calls the floors below, prints. Errors are sentences that say what was
 * expected, what came and what to do; exit codes are 0 done, 1 failed, 2 wrong usage. Decides nothing by itself.
 */

import type { Command } from "./command.ts";
import { aggregator } from "./commands/aggregator.ts";
import {
  aggregatorApprove,
  aggregatorClaim,
  aggregatorClaimRevoke,
  aggregatorClaims,
  aggregatorRefuse,
  aggregatorRequests,
  aggregatorRevoke,
} from "./commands/aggregator-enrolment.ts";
import { aggregatorQuota } from "./commands/aggregator-quota.ts";
import { aggregatorUserAdd, aggregatorUserList, aggregatorUserRemove } from "./commands/aggregator-users.ts";
import { backupList, backupNewKey } from "./commands/backup.ts";
import { boxReset, boxRestart, boxRun, boxStatus } from "./commands/box.ts";
import { boxConsole } from "./commands/box-console.ts";
import { boxHardware } from "./commands/box-hardware.ts";
import { bundleBuild, bundleVerify } from "./commands/bundle.ts";
import { bundlePublish } from "./commands/bundle-publish.ts";
import { cmd } from "./commands/cmd.ts";
import { doctor } from "./commands/doctor.ts";
import { enroll } from "./commands/enroll.ts";
import { eventsList, eventsTail, eventsVerify } from "./commands/events.ts";
import { eventsKept } from "./commands/events-kept.ts";
import { genesisAddValidator, genesisNew, genesisShow, genesisSign, genesisValidate } from "./commands/genesis.ts";
import { imageBuild, imageFlash, imageProvision, imageVerify } from "./commands/image.ts";
import { keysNew, keysProve, keysShow } from "./commands/keys.ts";
import { keysBind, keysHistoryExport, keysHistoryImport } from "./commands/keys-custody.ts";
import { keysRotate } from "./commands/keys-rotate.ts";
import { mqttUserAdd, mqttUserList, mqttUserRemove } from "./commands/mqtt.ts";
import { node } from "./commands/node.ts";
import { proofGet, proofVerify } from "./commands/proof.ts";
import { provisionCheck, provisionRun, provisionStatus } from "./commands/provision.ts";
import { restore } from "./commands/restore.ts";
import { sim } from "./commands/sim.ts";
import { account, status } from "./commands/status.ts";
import { testnet } from "./commands/testnet.ts";
import { txAnchor, txDeviceRegister, txDeviceRevoke, txSend, txTransfer } from "./commands/tx.ts";
import {
  txPropose,
  txRotateKey,
  txStake,
  txUnstake,
  txValidatorExit,
  txValidatorRegister,
  txValidatorUpdate,
  txVote,
  txWithdraw,
} from "./commands/tx-validator.ts";
import { up } from "./commands/up.ts";
import { updateCheck, updateInstall, updateMove, updateRollback, updateStatus } from "./commands/update.ts";
import { version } from "./commands/version.ts";

/** Every command, in the order of the overview. */
export const COMMANDS: readonly Command[] = [
  up,
  node,
  boxRun,
  boxStatus,
  boxRestart,
  boxReset,
  boxConsole,
  boxHardware,
  updateInstall,
  updateCheck,
  updateStatus,
  updateMove,
  updateRollback,
  aggregator,
  aggregatorClaim,
  aggregatorClaims,
  aggregatorClaimRevoke,
  aggregatorRequests,
  aggregatorApprove,
  aggregatorRefuse,
  aggregatorRevoke,
  aggregatorQuota,
  aggregatorUserAdd,
  aggregatorUserRemove,
  aggregatorUserList,
  enroll,
  provisionCheck,
  provisionStatus,
  provisionRun,
  testnet,
  genesisNew,
  genesisAddValidator,
  genesisSign,
  genesisValidate,
  genesisShow,
  keysNew,
  keysShow,
  keysProve,
  keysRotate,
  keysBind,
  keysHistoryExport,
  keysHistoryImport,
  backupNewKey,
  backupList,
  restore,
  account,
  txTransfer,
  txAnchor,
  txDeviceRegister,
  txDeviceRevoke,
  txValidatorRegister,
  txValidatorUpdate,
  txValidatorExit,
  txStake,
  txUnstake,
  txWithdraw,
  txRotateKey,
  txPropose,
  txVote,
  txSend,
  proofGet,
  proofVerify,
  mqttUserAdd,
  mqttUserRemove,
  mqttUserList,
  status,
  doctor,
  eventsList,
  eventsTail,
  eventsVerify,
  eventsKept,
  cmd,
  imageBuild,
  imageVerify,
  imageProvision,
  imageFlash,
  bundleBuild,
  bundlePublish,
  bundleVerify,
  sim,
  version,
];

export { runCommandLine } from "./run.ts";
