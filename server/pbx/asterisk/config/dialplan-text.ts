/** How a dialplan is written down. Nothing here knows what a PBX is made of. */

/** `Answer()`, or with a label to jump to. */
export type Step = string | { readonly label: string; readonly step: string }

export interface Extension {
  readonly extension: string
  readonly steps: readonly Step[]
}

export function context(name: string, extensions: readonly Extension[]): string {
  const lines = extensions.flatMap(({ extension, steps }) =>
    steps.map((step, i) => {
      const label = typeof step === 'string' ? '' : `(${step.label})`
      const text = typeof step === 'string' ? step : step.step
      return i === 0 ? `exten => ${extension},1${label},${text}` : ` same => n${label},${text}`
    }),
  )
  return [`[${name}]`, ...lines, ''].join('\n')
}

/**
 * A row of the durable record: `CELGenUserEvent(PBX_NAME,a=…&b=…)`. Each value is one of: `plain` text of ours,
 * percent-encoded now; an expression whose value is a safe word; or `encoded(…)`, for what a stranger may have chosen.
 */
export function mark(name: string, fields: Readonly<Record<string, string>> = {}): string {
  const text = Object.entries(fields).map(([key, value]) => `${key}=${value}`)
  return `CELGenUserEvent(PBX_${name},${text.join('&')})`
}

/** Text that is known now. Percent-encoding leaves nothing that the dialplan reads: no comma, bracket, quote or $. */
export const plain = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )

/** The value of a dialplan expression, percent-encoded on the PBX. The x: URIENCODE complains of an empty text. */
export const encoded = (expression: string): string => `\${URIENCODE(x${expression}):1}`
