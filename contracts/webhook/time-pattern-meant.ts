/** Which pattern somebody meant who wrote that of another library. */
import {
  mistakenToken,
  type Piece,
  patternProblem,
  readPattern,
  timeTokens,
  token,
} from '#contracts/webhook/time-pattern.ts'

/** Null: it is not recognised. What it gives is a pattern without a problem. */
export function patternMeant(pattern: string): string | null {
  // A macro of luxon: what it stands for depends on the machine.
  if (/^(?:D+|T+|t+|F+|f+)$/.test(pattern)) return null
  for (const read of [readStrftime, readPhp, readMoment]) {
    const pieces = read(pattern)
    if (pieces === null) continue
    const right = mended(pieces)
    const meant = writePattern(right)
    if (!hasSomethingTwice(right) && patternProblem(meant) === null) return meant
  }
  return null
}

/** Then it is words rather than a pattern. */
function hasSomethingTwice(pieces: readonly Piece[]): boolean {
  const letters = pieces.flatMap(({ kind, text }) => (kind === 'token' ? [text.charAt(0)] : []))
  return new Set(letters).size < letters.length
}

type Tokens = Readonly<Record<string, string>>

const piecesOf = (pattern: string | undefined) =>
  pattern === undefined ? null : readPattern(pattern)

/** What stands for a letter of the other library: patterns, which may be of several tokens. Null: nothing does. */
function translated(tokens: Tokens, letter: string): readonly Piece[] | null {
  return Object.hasOwn(tokens, letter) ? piecesOf(tokens[letter]) : null
}

/** C, and the glibc's flag `-` for numbers without zeros. */
const strftime: Tokens = {
  ...{ Y: 'yyyy', y: 'yy', G: 'kkkk', g: 'kk', V: 'WW', j: 'ooo', '-j': 'o', u: 'E' },
  ...{ m: 'MM', '-m': 'M', b: 'MMM', h: 'MMM', B: 'MMMM', d: 'dd', e: 'd', '-d': 'd' },
  ...{ a: 'EEE', A: 'EEEE', H: 'HH', k: 'H', '-H': 'H', I: 'hh', l: 'h', '-I': 'h' },
  ...{ M: 'mm', '-M': 'm', S: 'ss', '-S': 's', f: 'SSS', L: 'SSS', p: 'a', P: 'a' },
  ...{ z: 'ZZZ', ':z': 'ZZ', Z: 'ZZZZ', D: 'MM/dd/yy', F: 'yyyy-MM-dd', R: 'HH:mm' },
  ...{ T: 'HH:mm:ss', r: 'hh:mm:ss a', '%': "'%'" },
}

function readStrftime(pattern: string): readonly Piece[] | null {
  if (!pattern.includes('%')) return null
  const pieces: Piece[] = []
  for (const [all, letter] of pattern.matchAll(/%([-:]?[A-Za-z%])|[^%]+|%/g)) {
    const read = letter === undefined ? [quoted(all)] : translated(strftime, letter)
    if (read === null) return null
    pieces.push(...read)
  }
  return pieces
}

const php: Tokens = {
  ...{ Y: 'yyyy', y: 'yy', o: 'kkkk', W: 'WW', m: 'MM', n: 'M', M: 'MMM', F: 'MMMM' },
  ...{ d: 'dd', j: 'd', D: 'EEE', l: 'EEEE', N: 'E', H: 'HH', G: 'H', h: 'hh', g: 'h' },
  ...{ i: 'mm', s: 'ss', v: 'SSS', u: 'SSS', a: 'a', A: 'a' },
  ...{ e: 'z', T: 'ZZZZ', P: 'ZZ', p: 'ZZ', O: 'ZZZ' },
}

/** Single letters, some of which only PHP has; a backslash before those that are text. */
function readPhp(pattern: string): readonly Piece[] | null {
  const letters = pattern.replaceAll(/\\./g, '')
  if (/([A-Za-z])\1|['[]/.test(letters)) return null
  if (!/[YijnFlN]/.test(letters) || !/[mdijnFlNH]/.test(letters)) return null
  const pieces: Piece[] = []
  for (const [all, text, letter] of pattern.matchAll(/\\(.)|([A-Za-z])|[^A-Za-z\\]+|\\/gs)) {
    const read = letter === undefined ? [quoted(text ?? all)] : translated(php, letter)
    if (read === null) return null
    pieces.push(...read)
  }
  return pieces
}

/** moment and Day.js; .NET, Java and SQL where they write it otherwise. */
const moment: Tokens = {
  ...{ YYYY: 'yyyy', YY: 'yy', Y: 'yyyy', uuuu: 'yyyy', GGGG: 'kkkk', gggg: 'kkkk' },
  ...{ DD: 'dd', D: 'd', DDDD: 'ooo', DDD: 'o', ddd: 'EEE', dddd: 'EEEE', EE: 'EEE' },
  ...{ Do: 'd', Mo: 'M', Qo: 'q', Q: 'q', A: 'a', tt: 'a', k: 'H', S: 's', SS: 'ss', fff: 'SSS' },
  ...{ Z: 'ZZ', K: 'ZZ', XXX: 'ZZ', X: 'ZZ', XX: 'ZZZ', xxx: 'ZZ', xx: 'ZZZ', zzz: 'ZZ' },
}
const fractions: Tokens = { S: 'uuu', f: 'uuu', SS: 'uu', ff: 'uu' }

function readMoment(pattern: string): readonly Piece[] | null {
  const sql = pattern.replaceAll(/HH24/gi, 'HH').replaceAll(/HH12/gi, 'hh').replaceAll(/MI/gi, 'mm')
  const pieces: Piece[] = []
  for (const [all, bracketed] of sql.matchAll(
    /\[([^\]]*)\]|'[^']*'|[DMQ]o|([A-Za-z])\2*|[^A-Za-z'[]+|./gs,
  )) {
    const fraction = /[.,]$/.test(pieces.at(-1)?.text ?? '')
    const read = bracketed === undefined ? momentPieces(all, fraction) : [quoted(bracketed)]
    if (read === null) return null
    pieces.push(...read)
  }
  return pieces
}

function momentPieces(run: string, fraction: boolean): readonly Piece[] | null {
  const part = fraction ? translated(fractions, run) : null
  const known = part ?? translated(moment, run)
  if (known !== null) return known
  if (run === 'T') return [quoted(run)]
  return /^[A-Za-z]/.test(run) && !timeTokens.has(run) ? null : readPattern(run)
}

const quoted = (text: string): Piece => ({ kind: 'quoted', text })

/** With the tokens that were meant in the place of those that are nonsense where they stand. */
function mended(pieces: readonly Piece[]): readonly Piece[] {
  const result = [...pieces]
  for (const i of result.keys()) {
    const wrong = mistakenToken(result, i)
    if (wrong !== null) result[i] = token(wrong.meant)
  }
  return result
}

/** Quotes stand only where they must. */
function writePattern(pieces: readonly Piece[]): string {
  let written = ''
  let text = ''
  for (const piece of [...pieces, token('')]) {
    if (piece.kind !== 'token') text += piece.text
    else {
      written += writtenText(text) + piece.text
      text = ''
    }
  }
  return written
}

const writtenText = (text: string) =>
  text.replaceAll(/[^']*[A-Za-z%][^']*|'/g, (part) => (part === "'" ? "''" : `'${part}'`))
