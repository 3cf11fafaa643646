/** `['triggers', 2]` as `triggers[2]`: how every message of the API names a field. */
export function fieldPath(path: readonly PropertyKey[]): string {
  return path
    .map((step, i) =>
      typeof step === 'number' ? `[${step}]` : `${i === 0 ? '' : '.'}${String(step)}`,
    )
    .join('')
}
