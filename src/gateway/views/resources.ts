import type { z } from "@hono/zod-openapi";
import { toHex } from "../../kernel/index.ts";
import { formatAddress, LIMITS, networkIdOf } from "../../protocol/index.ts";
import type { GatewayLimits } from "../limits.ts";
import type { AccountView, ArchiveView, EventCursor, EventRecord, PeersView, StatusView, TransactionStatus } from "../ports.ts";
import type { accountSchema, eventSchema, peersSchema, statusSchema, transactionSchema } from "../schemas/resources.ts";
import { renderReceipt, renderTime } from "./render.ts";
import { renderBond } from "./staking.ts";

/** Where a transaction stands, in JSON. */
export function renderTransaction(id: Uint8Array, found: TransactionStatus): z.input<typeof transactionSchema> {
  if (found.status !== "final" && found.prunedAt) return { id: toHex(id), status: "final", ...found.prunedAt, isPruned: true };
  if (found.status !== "final") return { id: toHex(id), status: found.status };
  const { height, index } = found.receipt;
  return { id: toHex(id), status: "final", height, index, receipt: renderReceipt(found.receipt) };
}

/** An archive in JSON. */
export function renderArchive({ peer, addresses }: ArchiveView): { peer: string; addresses: string[] } {
  return { peer, addresses: [...addresses] };
}

/** An account in JSON. */
export function renderAccount(publicKey: Uint8Array, account: AccountView): z.input<typeof accountSchema> {
  const { height, doesExist, nonce, pendingNonce, balance, bonds, device } = account;
  const sponsored = device && {
    owner: formatAddress(device.owner),
    label: device.label,
    transactionsPerHour: String(device.transactionsPerHour),
    bytesPerHour: String(device.bytesPerHour),
    usedTransactions: String(device.usedTransactions),
    usedBytes: String(device.usedBytes),
    hour: device.hour,
  };
  return {
    address: formatAddress(publicKey),
    publicKey: toHex(publicKey),
    height,
    exists: doesExist,
    nonce: String(nonce),
    pendingNonce: String(pendingNonce),
    balance: String(balance),
    stake: String(bonds.reduce((sum, bond) => sum + bond.stake, 0n)),
    ...(bonds.length > 0 ? { bonds: bonds.map(renderBond) } : {}),
    ...(sponsored ? { device: sponsored } : {}),
  };
}

/** What is true of the node now, in JSON. `nowMs`: milliseconds since the Unix epoch. */
export function renderStatus(status: StatusView, limits: GatewayLimits, version: string, nowMs: number): z.input<typeof statusSchema> {
  const chainId = toHex(status.chainId);
  return {
    chainId,
    genesisHash: chainId,
    chainName: status.chainName,
    network: networkIdOf(status.chainId),
    id: status.nodeId,
    role: status.role,
    ...(status.validator ? { validator: toHex(status.validator) } : {}),
    height: status.height,
    blockHash: toHex(status.blockHash),
    blockTime: renderTime(status.blockTimeMs),
    epoch: status.epoch,
    view: status.view,
    peers: status.peers,
    syncState: status.syncState,
    ...(status.notice === undefined ? {} : { notice: status.notice }),
    ...(status.targetHeight === undefined ? {} : { targetHeight: status.targetHeight }),
    version,
    uptimeSeconds: Math.floor(status.uptimeMs / 1_000),
    time: renderTime(nowMs),
    minimumFee: String(status.minimumFee),
    pending: { transactions: status.pendingTransactions, bytes: status.pendingBytes },
    ...(status.mqtt && Object.keys(status.mqtt).length > 0 ? { mqtt: { ...status.mqtt } } : {}),
    limits: {
      transactionBytesMax: LIMITS.transactionBytesMax,
      bodyBytesMax: limits.bodyBytesMax,
      transactionsPerRequestMax: limits.transactionsPerRequestMax,
      nonceGapMax: String(LIMITS.nonceGapMax),
      maxValidity: String(status.maxValidity),
      anchorBytesMax: LIMITS.anchorBytesMax,
      streamBytesMax: LIMITS.streamBytesMax,
      memoBytesMax: LIMITS.memoBytesMax,
      waitMsMax: limits.waitMsMax,
    },
  };
}

/** A lane's place as one word. */
export function renderCursor({ epoch, sequence }: EventCursor): string {
  return `${epoch}.${sequence}`;
}

/** An event in JSON. */
export function renderEvent(record: EventRecord): z.input<typeof eventSchema> {
  const { lane, epoch, sequence, previousHash, time, type, payload, payloadHex, hash } = record;
  const content = { ...(payload === undefined ? {} : { payload }), ...(payloadHex === undefined ? {} : { payloadHex }) };
  return { lane, epoch, sequence, cursor: renderCursor(record), previousHash, time, type, ...content, hash };
}

/** Whom the node is connected to, in JSON. */
export function renderPeers({
  addresses,
  connected,
  absent,
  missingValidators,
  sharedKey,
  isArchive: isOwnArchive,
  lowestHeight: ownLowest,
  archives,
  height: ownHeight,
}: PeersView): z.input<typeof peersSchema> {
  return {
    addresses: [...addresses],
    connected: connected.map(
      ({
        peer,
        isValidator,
        direction,
        address,
        software,
        connectedForMs,
        silentForMs,
        rttMs,
        height,
        queuedBytes,
        lowestHeight,
        isArchive,
      }) => ({
        ...{ peer, isValidator, direction, address, software },
        connectedSeconds: Math.floor(connectedForMs / 1_000),
        silentSeconds: Math.floor(silentForMs / 1_000),
        ...(rttMs === undefined ? {} : { rttMs: Math.round(rttMs * 10) / 10 }),
        ...(height === undefined ? {} : { height, behind: Math.max(0, ownHeight - height) }),
        ...(lowestHeight === undefined ? {} : { lowest: lowestHeight }),
        isArchive,
        queuedBytes,
      }),
    ),
    absent: absent.map(({ address, peer, failures, reason, nextTryInMs }) => ({
      address,
      ...(peer === undefined ? {} : { peer }),
      failures,
      ...(reason === undefined ? {} : { reason }),
      ...(nextTryInMs === undefined ? {} : { nextTrySeconds: Math.ceil(nextTryInMs / 1_000) }),
    })),
    missingValidators: [...missingValidators],
    isArchive: isOwnArchive,
    lowest: ownLowest,
    archives: archives.map(renderArchive),
    ...(sharedKey && {
      sharedKey: {
        ...(sharedKey.address === undefined ? {} : { address: sharedKey.address }),
        sinceSeconds: Math.floor(sharedKey.sinceMs / 1_000),
        heardSeconds: Math.floor(sharedKey.heardMs / 1_000),
      },
    }),
  };
}
