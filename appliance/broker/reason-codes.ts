/** Reason codes of MQTT 5 that this broker sends or reads, by their names there. @see MQTT 5 section 2.4 */
export const REASON = {
  success: 0x00,
  disconnectWithWill: 0x04,
  noMatchingSubscribers: 0x10,
  noSubscriptionExisted: 0x11,
  unspecifiedError: 0x80,
  malformedPacket: 0x81,
  protocolError: 0x82,
  implementationError: 0x83,
  unsupportedVersion: 0x84,
  clientIdInvalid: 0x85,
  badCredentials: 0x86,
  notAuthorized: 0x87,
  serverUnavailable: 0x88,
  serverBusy: 0x89,
  banned: 0x8a,
  serverShuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  topicFilterInvalid: 0x8f,
  topicNameInvalid: 0x90,
  packetIdInUse: 0x91,
  packetIdNotFound: 0x92,
  receiveMaximumExceeded: 0x93,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  quotaExceeded: 0x97,
  administrativeAction: 0x98,
  payloadFormatInvalid: 0x99,
} as const;

/** One of the codes above. */
export type ReasonCode = (typeof REASON)[keyof typeof REASON];

/** What a 3.1.1 CONNACK says for a refusal; undefined: the connection is closed without one. @see MQTT 3.1.1 table 3.1 */
export function returnCodeOf(reason: ReasonCode): number | undefined {
  switch (reason) {
    case REASON.unsupportedVersion:
      return 1;
    case REASON.clientIdInvalid:
      return 2;
    case REASON.serverUnavailable:
    case REASON.serverBusy:
    case REASON.quotaExceeded:
      return 3;
    case REASON.badCredentials:
      return 4;
    case REASON.notAuthorized:
    case REASON.banned:
      return 5;
    default:
      return undefined;
  }
}
