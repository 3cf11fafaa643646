/** Holds each reply that a test gets to what the OpenAPI document says of it. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { openApiDocument } from '#server/http/openapi.ts'
import type { Reply } from './start-api.ts'

interface Documented {
  readonly description: string
  readonly content?: Readonly<Record<string, { readonly schema?: object }>>
}
interface Document {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly responses: Record<string, Documented> }>>>
  >
}

const document = openApiDocument('0.0.0') as unknown as Document
const ajv = new Ajv2020({ strict: false })
formats.default(ajv)
ajv.addSchema({ $id: 'https://offhook.example/document', ...document })

const patterns = Object.keys(document.paths).map((path) => ({
  path,
  pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
}))
/** `/webhooks/preview` is not `/webhooks/{id}`: what is written out goes before what is not. */
const pathOf = (address: string) =>
  patterns
    .filter(({ pattern }) => pattern.test(address))
    .toSorted((a, b) => a.path.split('{').length - b.path.split('{').length)[0]?.path

/** Codes that every address can answer with, before or behind its route: no operation lists them. */
const everywhere = ['route_not_found', 'method_not_allowed', 'headers_too_large']

const validators = new Map<string, ValidateFunction>()

/** JSON pointer, within a URI. */
const step = (name: string) => encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'))

function validatorOf(pointer: string): ValidateFunction {
  const known = validators.get(pointer)
  if (known !== undefined) return known
  const made = ajv.compile({ $ref: `https://offhook.example/document#/${pointer}` })
  validators.set(pointer, made)
  return made
}

/** Throws where the reply has a status, a code or a body that the document does not know. */
export function asDocumented(method: string, address: string, { status, headers, body }: Reply) {
  const { pathname } = new URL(address, 'http://offhook.example')
  const path = pathOf(pathname)
  const operation = path === undefined ? undefined : document.paths[path]?.[method.toLowerCase()]
  if (path === undefined || operation === undefined || status === 304) return
  if (everywhere.includes(body?.code)) return
  const where = `${method} ${path}, ${status}`
  const documented = operation.responses[status]
  if (documented === undefined) throw new Error(`${where} (${body?.code}) is not in OpenAPI`)
  const type = headers.get('content-type')?.split(';')[0] ?? ''
  if (body === undefined) return
  if (documented.content?.[type]?.schema === undefined) {
    throw new Error(`${where}: ${type} is not in OpenAPI`)
  }
  if (type === 'application/problem+json' && !documented.description.includes(`\`${body.code}\``)) {
    throw new Error(`${where}: the code ${body.code} is not in OpenAPI`)
  }
  const place = ['paths', path, method.toLowerCase(), 'responses', String(status)]
  const pointer = [...place, 'content', type, 'schema'].map(step).join('/')
  const validate = validatorOf(pointer)
  if (!validate(body)) throw new Error(`${where}: ${JSON.stringify(validate.errors?.slice(0, 3))}`)
}
