/** Patterns of times, of the tokens of luxon: how they are read, and what is wrong with one. */

/**
 * Of luxon's tokens, those that give the same whatever the language of the machine, and that nobody takes for another.
 * Left out: the macros (D, t, T, f, F) and local weeks (n, i), which go by language or country; names by one letter; eras;
 * S, since 5 ms would be .5; X and x, which are offsets elsewhere (`unix` and `unix_ms` are there); c, which E is too.
 */
export const timeTokens: ReadonlySet<string> = new Set([
  ...['y', 'yy', 'yyyy'],
  ...['M', 'MM', 'MMM', 'MMMM', 'L', 'LL', 'LLL', 'LLLL'],
  ...['d', 'dd', 'o', 'ooo', 'E', 'EEE', 'EEEE', 'ccc', 'cccc'],
  ...['W', 'WW', 'kk', 'kkkk', 'q', 'qq'],
  ...['H', 'HH', 'h', 'hh', 'a', 'm', 'mm', 's', 'ss', 'SSS', 'u', 'uu', 'uuu'],
  ...['Z', 'ZZ', 'ZZZ', 'ZZZZ', 'ZZZZZ', 'z'],
])

export interface Piece {
  readonly kind: 'token' | 'bare' | 'quoted'
  readonly text: string
}

export const token = (text: string): Piece => ({ kind: 'token', text })

/** As luxon splits it: a run of one letter is a token, two single quotes are one. Null: a quote is not closed. */
export function readPattern(pattern: string): readonly Piece[] | null {
  const pieces: Piece[] = []
  for (const [all, quoted, letter] of pattern.matchAll(/'([^']*)'|([A-Za-z])\2*|[^A-Za-z']+|'/g)) {
    if (all === "'") return null
    if (letter !== undefined) pieces.push(token(all))
    else if (quoted === undefined) pieces.push({ kind: 'bare', text: all })
    else pieces.push({ kind: 'quoted', text: quoted === '' ? "'" : quoted })
  }
  return pieces
}

/** What is wrong with it, as half a sentence; null: nothing. */
export function patternProblem(pattern: string): string | null {
  const pieces = readPattern(pattern)
  if (pieces === null) return 'a single quote is not closed'
  if (pieces.some(({ kind, text }) => kind === 'bare' && text.includes('%'))) {
    return '% is of strftime, which only templates have'
  }
  const tokens = pieces.filter(({ kind }) => kind === 'token')
  if (tokens.length === 0) return 'there is no token in it'
  const unknown = tokens.find(({ text }) => !timeTokens.has(text))
  if (unknown !== undefined) return `"${unknown.text}" is none of the tokens`
  for (const i of pieces.keys()) {
    const wrong = mistakenToken(pieces, i)
    if (wrong !== null) return wrong.says
  }
  return null
}

interface Mistaken {
  readonly says: string
  /** The token that was meant. */
  readonly meant: string
}

/** A token that is right by itself and nonsense where it stands: `yyyy-mm-dd`, `HH:MM`, an hour of 12 without AM or PM. */
export function mistakenToken(pieces: readonly Piece[], i: number): Mistaken | null {
  const piece = pieces[i]
  if (piece === undefined || piece.kind !== 'token') return null
  const { text } = piece
  const before = neighbour(pieces, i, -1)
  const after = neighbour(pieces, i, 1)
  const ofTime = /[Hhs]/.test(before?.letter ?? '') || after?.letter === 's'
  if (/^mm?$/.test(text) && !ofTime && (isDate(before) || isDate(after))) {
    return { says: `${text} is the minute, and stands in a date`, meant: text.toUpperCase() }
  }
  if (/^MM?$/.test(text) && isHour(before) && !isDate(after)) {
    return { says: `${text} is the month, and stands in a time of day`, meant: text.toLowerCase() }
  }
  if (/^hh?$/.test(text) && !pieces.some((other) => other.kind === 'token' && other.text === 'a')) {
    return {
      says: `${text} is the hour of 12, and no a tells AM from PM`,
      meant: text.toUpperCase(),
    }
  }
  return null
}

interface Neighbour {
  readonly letter: string
  readonly between: string
}

/** The token before or after, and what is between. */
function neighbour(pieces: readonly Piece[], i: number, step: 1 | -1): Neighbour | null {
  let between = ''
  for (let at = i + step; ; at += step) {
    const piece = pieces[at]
    if (piece === undefined) return null
    if (piece.kind === 'token') return { letter: piece.text.charAt(0), between }
    between += piece.text
  }
}

const isDate = (near: Neighbour | null) =>
  near !== null && /[yd]/.test(near.letter) && /^[-/. ]?$/.test(near.between)

const isHour = (near: Neighbour | null) =>
  near !== null && /[Hh]/.test(near.letter) && /^[:.]?$/.test(near.between)
