/**
 * The template payload: Liquid over the native event, written by whoever made the webhook and fed with what callers
 * chose. It reaches the event and its own partials and nothing else: no files, no prototypes, no other account. Memory is
 * counted by the engine, and by the emitter here for what is captured; time is bounded by `within`.
 */
import {
  type Context,
  type Emitter,
  Liquid,
  LiquidError,
  type Parser,
  type Tag,
  type TagRenderReturn,
  type TagToken,
  type Template,
  Tokenizer,
  type TopLevelToken,
  TypeGuards,
} from 'liquidjs'
import type { TemplatePayload } from '#contracts/webhook/payload.ts'
import type { StoredEventObject } from '#server/domain/render/event-values.ts'
import { NotRenderedError } from '#server/domain/render/not-rendered.ts'
import { escaped, plainText, textKind } from '#server/domain/render/template-text.ts'
import { isOverTime, within } from '#server/domain/render/time-limit.ts'

/** What one template may take. */
export const templateLimits = {
  renderMs: 100,
  parseMs: 250,
  /** Characters and elements, of all that is made on the way. */
  memory: 1_000_000,
  /** Bytes of the request's body. */
  output: 262_144,
} as const

export interface TemplateProblem {
  readonly path: readonly string[]
  readonly message: string
}

/** A partial that a template names, and where. */
interface Reference {
  readonly name: unknown
  readonly line: number
}

/** Of both ends of a range. */
const farthest = 1_000_000

/**
 * The engine counts the elements of a range and then adds one to a number until it is there: past 2^53 it never is, and
 * fills the memory on its way. The ends are looked at where a range is read, in what is saved as in what a template puts
 * together while it runs (`where_exp`). The class is the engine's and not ours; nothing else here uses it.
 */
const { readGroupOrRange } = Tokenizer.prototype
Tokenizer.prototype.readGroupOrRange = function readBoundedRange(this: Tokenizer) {
  const range = readGroupOrRange.call(this)
  if (range === undefined || !TypeGuards.isRangeToken(range)) return range
  const ends = [range.lhs, range.rhs].map((end) => Number(end.getText()))
  if (!ends.every((end) => Number.isInteger(end) && Math.abs(end) <= farthest)) {
    throw new Error(`the ends of a range must be whole numbers up to ${farthest}`)
  }
  return range
}

interface Engine {
  readonly liquid: Liquid
  /** What was named by all that was parsed since it was last emptied. */
  readonly references: Reference[]
}

type Partials = TemplatePayload['partials']

function createEngine({ content_type, partials }: TemplatePayload): Engine {
  const kind = textKind(content_type)
  const liquid = new Liquid({
    // In memory; no file system is ever asked.
    templates: Object.assign(Object.create(null), partials),
    cache: true,
    ownPropertyOnly: true,
    strictFilters: true,
    memoryLimit: templateLimits.memory,
    // The same text whatever the machine's settings are.
    timezoneOffset: 0,
    locale: 'en',
    outputEscape: (value: unknown) => escaped(value, kind),
  })
  for (const name of ['layout', 'block']) delete liquid.tags[name]
  // A whole JSON value; where the body is not JSON, it is escaped as any other text.
  function json(this: { readonly context: Context }, value: unknown): string {
    const text = JSON.stringify(value ?? null)
    this.context.memoryLimit.use(text.length)
    return text
  }
  liquid.registerFilter('json', { raw: kind === 'json', handler: json })
  countWhatIsWritten(liquid)
  return { liquid, references: noteReferences(liquid) }
}

/** The engine counts what filters make but not what tags capture, which doubles with each turn of a loop. */
function countWhatIsWritten(liquid: Liquid): void {
  const { renderer } = liquid
  const render = renderer.renderTemplates.bind(renderer)
  renderer.renderTemplates = (templates: Template[], context: Context, emitter?: Emitter) =>
    render(templates, context, emitter ?? countingEmitter(context))
}

function countingEmitter({ memoryLimit }: Context): Emitter {
  return {
    buffer: '',
    write(html: unknown) {
      const text = plainText(html)
      memoryLimit.use(text.length)
      this.buffer += text
    },
  }
}

type ConcreteTag = new (
  token: TagToken,
  rest: TopLevelToken[],
  engine: Liquid,
  parser: Parser,
) => Tag & { readonly file?: unknown; render(context: Context, emitter: Emitter): TagRenderReturn }

function noteReferences(liquid: Liquid): Reference[] {
  const references: Reference[] = []
  for (const name of ['render', 'include'] as const) {
    const Original = liquid.tags[name]
    if (Original === undefined) throw new Error(`the engine has no tag ${name}`)
    // The type says abstract; what is registered is the engine's own tag.
    class Noting extends (Original as unknown as ConcreteTag) {
      constructor(token: TagToken, rest: TopLevelToken[], engine: Liquid, parser: Parser) {
        super(token, rest, engine, parser)
        const [line] = token.getPosition()
        references.push({ name: this.file, line: line ?? 1 })
      }
    }
    liquid.registerTag(name, Noting)
  }
  return references
}

/** Why such a payload is not taken; empty: it is. */
export function templateProblems(payload: TemplatePayload): readonly TemplateProblem[] {
  const engine = createEngine(payload)
  const texts: readonly (readonly [path: readonly string[], text: string])[] = [
    [['payload', 'template'], payload.template],
    ...Object.entries(payload.partials).map(
      ([name, text]) => [['payload', 'partials', name], text] as const,
    ),
  ]
  const named = new Map<string, readonly Reference[]>()
  const problems = texts.flatMap(([path, text]) => {
    engine.references.length = 0
    const wrong = problemOfText(engine, text)
    if (wrong !== null) return [{ path, message: wrong }]
    named.set(path.at(2) ?? '', [...engine.references])
    return problemsOfReferences(engine.references, payload.partials).map((message) => ({
      path,
      message,
    }))
  })
  return problems.length > 0 ? problems : cycles(named)
}

function problemOfText({ liquid }: Engine, text: string): string | null {
  try {
    within(templateLimits.parseMs, () => liquid.parse(text))
    return null
  } catch (error) {
    return saidOf(error, templateLimits.parseMs)
  }
}

/** What a template and its partials read of the event, each as the names on the way there; empty where it is no template. */
export function templateVariables(payload: TemplatePayload): readonly (readonly unknown[])[] {
  const { liquid } = createEngine(payload)
  try {
    return within(templateLimits.parseMs, () =>
      liquid.globalVariableSegmentsSync(liquid.parse(payload.template), { partials: true }),
    )
  } catch {
    // What is wrong with it is told by `templateProblems`.
    return []
  }
}

function problemsOfReferences(references: readonly Reference[], partials: Partials): string[] {
  return references.flatMap(({ name, line }) => {
    if (typeof name !== 'string') {
      return [`line ${line}: a partial must be named in quotes, as in {% render "caller" %}`]
    }
    return Object.hasOwn(partials, name) ? [] : [`line ${line}: there is no partial "${name}"`]
  })
}

/** Partials that come back to themselves: a template of theirs would never end. */
function cycles(named: ReadonlyMap<string, readonly Reference[]>): TemplateProblem[] {
  const done = new Set<string>()
  const walk = (partial: string, way: readonly string[]): TemplateProblem[] => {
    if (done.has(partial)) return []
    const problems = (named.get(partial) ?? []).flatMap(({ name, line }) => {
      const next = String(name)
      const from = [...way, partial].indexOf(next)
      if (from === -1) return walk(next, [...way, partial])
      const circle = [...[...way, partial].slice(from), next].join('" → "')
      const message = `line ${line}: partials must not render themselves: "${circle}"`
      return [{ path: ['payload', 'partials', partial], message }]
    })
    done.add(partial)
    return problems
  }
  return [...named.keys()].flatMap((partial) => walk(partial, []))
}

/** The template is parsed with the first event: half a millisecond, once for all requests of a webhook. */
export function prepareTemplate(payload: TemplatePayload): (event: StoredEventObject) => string {
  let made: { readonly liquid: Liquid; readonly parsed: Template[] } | null = null
  const isJson = textKind(payload.content_type) === 'json'
  const limited = isHarmless(payload) ? (work: () => string) => work() : limitedTime
  const render = (event: StoredEventObject): string => {
    made ??= parsedOf(payload)
    // A copy: counters of a template are written into it.
    return plainText(made.liquid.renderSync(made.parsed, { ...event }))
  }
  return (event) => {
    const text = rendered(() => limited(() => render(event)))
    if (Buffer.byteLength(text) > templateLimits.output) {
      throw new NotRenderedError('The template made more than 256 KiB.')
    }
    if (isJson) checkJson(text)
    return text
  }
}

function parsedOf(payload: TemplatePayload) {
  const { liquid } = createEngine(payload)
  return { liquid, parsed: liquid.parse(payload.template) }
}

const limitedTime = (work: () => string) => within(templateLimits.renderMs, work)

function rendered(render: () => string): string {
  try {
    return render()
  } catch (error) {
    const said = saidOf(error, templateLimits.renderMs)
    throw new NotRenderedError(`The template failed: ${said}.`, { cause: error })
  }
}

function checkJson(text: string): void {
  try {
    JSON.parse(text)
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    throw new NotRenderedError(`What the template made is not JSON: ${said}.`)
  }
}

const simpleFilters = String.raw`raw|upcase|downcase|capitalize|escape|url_encode|size|default:\s*(?:"[^"{}|]*"|\d+)|date:\s*"[^"{}|]*"`

/**
 * What ends after each character once, whatever the event holds. One filter and JSON behind it: JSON of JSON of JSON doubles its
 * backslashes each time; and a date in a zone takes a tenth of a millisecond.
 */
const harmless = new RegExp(
  [
    String.raw`\{\{-?\s*\w+(?:\.\w+)*(?:\s*\|\s*(?:${simpleFilters}))?(?:\s*\|\s*json)?\s*-?\}\}`,
    String.raw`\{%-?\s*(?:if|elsif|unless)\s[\w\s.=!<>"']+-?%\}`,
    String.raw`\{%-?\s*(?:else|endif|endunless)\s*-?%\}`,
  ].join('|'),
  'g',
)

/** Parsing takes a tenth of a millisecond for each tag, once; rendering less. */
const mostHarmless = { characters: 8_192, tags: 100 } as const

/** Whether it takes no time to speak of, so that it needs neither a watch, which costs more, nor another thread. */
export function isHarmless({ template }: TemplatePayload): boolean {
  if (template.length > mostHarmless.characters) return false
  let tags = 0
  const rest = template.replaceAll(harmless, () => {
    tags += 1
    return '\n'
  })
  return tags <= mostHarmless.tags && !rest.includes('{{') && !rest.includes('{%')
}

/** One sentence without its point, with the line where the engine knows it. */
function saidOf(error: unknown, ms: number): string {
  if (isOverTime(error)) return `it took longer than ${ms} ms`
  if (!LiquidError.is(error)) return error instanceof Error ? error.message : String(error)
  // The engine appends where; its own words for that are replaced by ours.
  const said = error.message.replace(/(?:, file:[^,]*)?, line:\d+, col:\d+$/, '')
  const [line, column] = error.token.getPosition()
  return `line ${line}, column ${column}: ${wordsFor[said] ?? said}`
}

const wordsFor: Readonly<Record<string, string>> = {
  'memory alloc limit exceeded': 'it takes too much memory',
  'Maximum call stack size exceeded': 'it is nested too deeply',
}
