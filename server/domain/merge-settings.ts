type Settings = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Settings =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `over` goes over `settings`, object by object; lists and single values are replaced. Neither is changed. */
export function mergeSettings(settings: Settings, over: Settings): Settings {
  const merged: Record<string, unknown> = { ...settings }
  for (const [key, value] of Object.entries(over)) {
    const present = Object.hasOwn(settings, key) ? settings[key] : undefined
    const both = isObject(present) && isObject(value)
    // Defined and not assigned: JSON can have a key __proto__.
    Object.defineProperty(merged, key, {
      value: both ? mergeSettings(present, value) : value,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return merged
}
