/**
 * The first look at the URL of a receiver, before any name is resolved. A URL as the standard parses it has its host
 * in one form only: 2130706433, 0x7f.1 and full-width digits are 127.0.0.1 by then, so the text is never looked at.
 */

/** Where a connection would go to. */
export interface ReceiverTarget {
  /** A name or an address, an IPv6 one without brackets. */
  readonly host: string
  readonly port: number
  readonly secure: boolean
}

/** Throws where the URL is none: it was checked when it was stored. */
export function targetOf(text: string): ReceiverTarget {
  const url = new URL(text)
  const secure = url.protocol === 'https:'
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    secure,
  }
}

/**
 * The ports that the Fetch standard bars for browsers: other protocols live there (mail, SIP, printers), whose servers
 * have been made to act on the lines of an HTTP request.
 */
const barredPorts: ReadonlySet<number> = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102,
  103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465,
  512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993,
  995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668,
  6669, 6679, 6697, 10080,
])

/** Why no request goes to this port, as a sentence; null: it may. */
export function whyBarredPort(port: number): string | null {
  return barredPorts.has(port)
    ? `Port ${port} belongs to another protocol than HTTP; browsers send no requests there, and neither does Offhook.`
    : null
}
