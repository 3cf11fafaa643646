/** Names of the Q.850 causes that PBXs give; ITU-T Q.850, table 1. 127 is what Asterisk gives for a caller's cancel. */
const names: Readonly<Record<number, string>> = {
  1: 'Unallocated number',
  2: 'No route to network',
  3: 'No route to destination',
  16: 'Normal call clearing',
  17: 'User busy',
  18: 'No user responding',
  19: 'No answer from user',
  20: 'Subscriber absent',
  21: 'Call rejected',
  22: 'Number changed',
  23: 'Redirection to new destination',
  26: 'Answered elsewhere',
  27: 'Destination out of order',
  28: 'Invalid number format',
  29: 'Facility rejected',
  31: 'Normal, unspecified',
  34: 'No circuit available',
  38: 'Network out of order',
  41: 'Temporary failure',
  42: 'Switching equipment congestion',
  44: 'Requested channel not available',
  50: 'Facility not subscribed',
  57: 'Bearer capability not authorised',
  58: 'Bearer capability not available',
  65: 'Bearer capability not implemented',
  69: 'Facility not implemented',
  88: 'Incompatible destination',
  102: 'Recovery on timer expiry',
  111: 'Protocol error',
  127: 'Interworking, unspecified',
}

export function q850Text(cause: number | null): string | null {
  return cause === null ? null : (names[cause] ?? null)
}
