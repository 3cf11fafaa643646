/** What the generated configuration needs to know beside the PBX document: where this instance lives on its machine. */
export interface PbxSite {
  /** Absolute path of the instance folder, which holds everything that belongs to this Asterisk. */
  readonly folder: string
  /** Folder of the `.so` files. */
  readonly modules: string
  /** Where phones and carriers reach it. */
  readonly sip: { readonly host: string; readonly port: number }
  /** The manager interface listens on 127.0.0.1 only. */
  readonly ami: { readonly port: number; readonly secret: string }
  readonly rtp: { readonly first: number; readonly last: number }
}

export const amiUsername = 'offhook'

/** A section of a configuration file: `[name]`, then `key = value` lines. Entries with null are left out. */
export function section(
  name: string,
  entries: readonly (readonly [key: string, value: string | number | null])[],
): string {
  const lines = entries
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `${key} = ${confValue(String(value))}`)
  return [`[${name}]`, ...lines, ''].join('\n')
}

/**
 * A value on a line of its own. A semicolon begins a comment unless a backslash stands before it; a line break would
 * begin a new entry, and no schema lets one through, so meeting one is an error of ours.
 */
export function confValue(text: string): string {
  if (/[\r\n\0]/.test(text)) throw new Error('a value of the PBX configuration has a line break')
  return text.trim().replaceAll(';', '\\;')
}

/** A name as displayed by phones, without the characters that quoting in the several files cannot carry. */
export const displayName = (name: string): string =>
  name
    .replaceAll(/["<>\\]/g, '')
    .replaceAll(/[,|]/g, ' ')
    .trim()
