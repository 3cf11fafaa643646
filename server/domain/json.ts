/** What somebody else says is JSON; null where it is none, or nothing was said. */
export function jsonOrNull(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    return null
  }
}
