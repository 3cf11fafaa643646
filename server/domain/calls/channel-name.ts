/** The endpoint of a channel name: `PJSIP/desk-201-0000002a` → `desk-201` (endpoints may contain dashes). */
export function endpointOf(channel: string): string {
  const slash = channel.indexOf('/')
  const dash = channel.lastIndexOf('-')
  return channel.slice(slash + 1, dash > slash ? dash : undefined)
}

/** Local channels are Asterisk's internal pipes: two halves, `…;1` and `…;2`, never a phone. */
export function isLocal(channel: string): boolean {
  return channel.startsWith('Local/')
}

/** The two halves of a Local channel share this name. */
export function localPair(channel: string): string {
  return channel.replace(/;[12]$/, '')
}

const carrierContext =
  /(^|[-_])(trunks?|pstn|did|carrier|provider|external|inbound|incoming|outside)([-_]|$)/i
const carrierEndpoint = /trunk|carrier|provider/i

/**
 * Whether a channel is a line to a carrier. With the configured trunks known that decides; otherwise the context and
 * the endpoint's name tell, since every dialplan keeps the calls of its carriers in a context of their own.
 */
export function isCarrier(
  endpoint: string,
  context: string,
  trunks: ReadonlySet<string> | null,
): boolean {
  if (trunks !== null) return trunks.has(endpoint)
  return carrierContext.test(context) || carrierEndpoint.test(endpoint)
}
