/** Crockford's base 32: no letter that reads like a digit. The digits of our ids. */
export const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** The number in so many digits, padded with zeros; from 0, below 2^53. */
export function crockfordOfNumber(number: number, digits: number): string {
  let text = ''
  for (let rest = number; text.length < digits; rest = Math.floor(rest / 32)) {
    text = crockford[rest % 32] + text
  }
  return text
}

/** Eight digits for each five bytes; their number is a multiple of five. */
export function crockfordOfBytes(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 5) {
    let forty = 0
    for (const byte of bytes.subarray(at, at + 5)) forty = forty * 256 + byte
    text += crockfordOfNumber(forty, 8)
  }
  return text
}
