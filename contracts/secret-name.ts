/**
 * Names of headers and query parameters that carry credentials, by definition or as people call them. Signatures stay:
 * they open nothing, and receivers compare them. `www-authenticate` stays: it says what the receiver wants.
 */
const secretName =
  /auth(?!enticate)|cookie|token|secret|passw|pwd|credential|session|(api|access)[-_]?key|^key$|^sig$/i

/** A million requests carry the same few names; asking the expression for each costs more than all the rest here. */
const known = new Map<string, boolean>()
const namesKept = 1_000

export function isSecretName(name: string): boolean {
  const before = known.get(name)
  if (before !== undefined) return before
  const secret = secretName.test(name)
  if (known.size >= namesKept) known.clear()
  known.set(name, secret)
  return secret
}
