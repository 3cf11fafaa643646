/**
 * An HTTP server that behaves as Salesforce documents its REST API, as far as the connector uses it: OAuth 2.0 client
 * credentials and JWT bearer, SOSL search with its splitting of words, SOQL LIKE, upsert of Tasks by external id,
 * sessions that end, limits, errors of fields.
 */
import { createPublicKey, randomBytes, verify } from 'node:crypto'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { listening, portOf } from '#test/support/sending.ts'

export interface SalesforceRecord {
  readonly type: 'Contact' | 'Lead'
  readonly Id: string
  readonly OwnerId?: string
  readonly LastModifiedDate?: string
  readonly IsConverted?: boolean
  readonly [field: string]: unknown
}

interface TaskError {
  readonly statusCode: string
  readonly message: string
  readonly fields: readonly string[]
}

export interface SalesforceServer extends AsyncDisposable {
  readonly url: string
  readonly people: SalesforceRecord[]
  /** By external id. */
  readonly tasks: Map<string, Readonly<Record<string, unknown>>>
  /** Method and address without its query, in the order of arrival. */
  readonly requests: string[]
  /** The upserts, as they came. */
  readonly upserts: {
    readonly method: string
    readonly url: string
    readonly headers: IncomingHttpHeaders
    readonly body: string
  }[]
  /** The queries of searches, as they came. */
  readonly queries: string[]
  /** All sessions end. */
  readonly endSessions: () => void
  /** Every session has ended before its first request. */
  refusesAll: boolean
  /** The next so many requests of the API are refused for the daily limit. */
  limit: number
  /** Fields that no Task may have. */
  readonly unknownFields: Set<string>
  /** What every Task is refused for; null: none is. */
  taskError: TaskError | null
  /** The next so many upserts are begun before the first of them is done. */
  racing: number
  /** Refusals of Tasks repeat the token that they were sent with. */
  repeatsToken: boolean
  /** The token endpoint refuses what it is sent, and repeats it. */
  repeatsForm: boolean
  /** What is answered by the token endpoint instead; null: a token. */
  tokenRefusal: { readonly status: number; readonly body: string } | null
}

export const salesforceApp = {
  client_id: '3MVG9.offhook',
  client_secret: 'consumer-secret-17',
  username: 'integration@offhook.example',
}

export async function startSalesforce(publicKey?: string): Promise<SalesforceServer> {
  const sessions = new Set<string>()
  const server = createServer((request, response) => {
    answer(state, request, response).catch(() => response.destroy())
  })
  await listening(server)
  const state: State = {
    url: `http://127.0.0.1:${portOf(server)}`,
    publicKey: publicKey ?? null,
    sessions,
    people: [],
    tasks: new Map(),
    requests: [],
    upserts: [],
    queries: [],
    endSessions: () => sessions.clear(),
    refusesAll: false,
    limit: 0,
    unknownFields: new Set(),
    taskError: null,
    racing: 0,
    racers: [],
    repeatsToken: false,
    repeatsForm: false,
    tokenRefusal: null,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return state
}

interface State extends SalesforceServer {
  /** Let the upserts go on that wait for the others. */
  readonly racers: (() => void)[]
  readonly publicKey: string | null
  readonly sessions: Set<string>
}

interface Answer {
  readonly status: number
  readonly body: unknown
}

const refusal = (status: number, errorCode: string, message: string): Answer => ({
  status,
  body: [{ errorCode, message }],
})

async function answer(state: State, request: IncomingMessage, response: ServerResponse) {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks).toString()
  const url = new URL(request.url ?? '/', state.url)
  state.requests.push(`${request.method} ${url.pathname}`)
  const reply = await replyTo(state, request, url, body)
  const text = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body)
  response.writeHead(reply.status, { 'content-type': 'application/json' })
  response.end(text)
}

async function replyTo(
  state: State,
  request: IncomingMessage,
  url: URL,
  body: string,
): Promise<Answer> {
  if (url.pathname === '/services/oauth2/token') return tokenReply(state, request, body)
  const session = request.headers.authorization?.replace(/^Bearer /, '') ?? ''
  if (state.refusesAll || !state.sessions.has(session)) {
    return refusal(401, 'INVALID_SESSION_ID', 'Session expired or invalid')
  }
  if (state.limit > 0) {
    state.limit -= 1
    return refusal(403, 'REQUEST_LIMIT_EXCEEDED', 'TotalRequests Limit exceeded.')
  }
  const call = `${request.method} ${url.pathname.replace(/^\/services\/data\/v62\.0/, '')}`
  const query = url.searchParams.get('q') ?? ''
  if (call === 'GET /search') return searchReply(state, query)
  if (call === 'GET /query') return queryReply(state, query)
  const { method = '', headers } = request
  const upsert = /^PATCH \/composite\/sobjects\/Task\/(\w+)$/.exec(call)
  if (upsert !== null) state.upserts.push({ method, url: url.href, headers, body })
  if (upsert !== null && state.repeatsToken) {
    return refusal(400, 'INVALID_REQUEST', `not by ${session}`)
  }
  if (upsert !== null) return await upsertReply(state, upsert[1] ?? '', body)
  return refusal(404, 'NOT_FOUND', 'The requested resource does not exist')
}

function tokenReply(state: State, request: IncomingMessage, body: string): Answer {
  if (state.tokenRefusal !== null) return state.tokenRefusal
  if (state.repeatsForm) return { status: 400, body: { error: 'no', error_description: body } }
  if (request.headers['content-type'] !== 'application/x-www-form-urlencoded') {
    return { status: 400, body: { error: 'unsupported_grant_type', error_description: 'no form' } }
  }
  const form = new URLSearchParams(body)
  const wrong = wrongCredentials(state, form)
  if (wrong !== null) return { status: 400, body: wrong }
  const token = `00D${randomBytes(20).toString('hex')}`
  state.sessions.add(token)
  return {
    status: 200,
    body: { access_token: token, instance_url: state.url, token_type: 'Bearer', issued_at: '1' },
  }
}

function wrongCredentials(state: State, form: URLSearchParams): object | null {
  if (form.get('grant_type') === 'client_credentials') {
    const right =
      form.get('client_id') === salesforceApp.client_id &&
      form.get('client_secret') === salesforceApp.client_secret
    return right
      ? null
      : { error: 'invalid_client', error_description: 'invalid client credentials' }
  }
  const assertion = form.get('assertion') ?? ''
  const [head = '', claims = '', signature = ''] = assertion.split('.')
  const signed =
    state.publicKey !== null &&
    verify(
      'sha256',
      Buffer.from(`${head}.${claims}`),
      createPublicKey(state.publicKey),
      Buffer.from(signature, 'base64url'),
    )
  const { iss, sub, aud, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as {
    iss: string
    sub: string
    aud: string
    exp: number
  }
  const seconds = exp - Date.now() / 1000
  const right =
    signed &&
    form.get('grant_type') === 'urn:ietf:params:oauth:grant-type:jwt-bearer' &&
    iss === salesforceApp.client_id &&
    sub === salesforceApp.username &&
    aud === state.url &&
    seconds > 0 &&
    seconds <= 300
  return right ? null : { error: 'invalid_grant', error_description: 'invalid assertion' }
}

/** SOSL splits what is stored and what is asked at everything but letters and digits; a phrase is words in a row. */
const wordsOf = (text: string) => text.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== '')

function searchReply(state: State, query: string): Answer {
  state.queries.push(query)
  const asked = /^FIND \{(.*)\} IN PHONE FIELDS RETURNING (.*)$/.exec(query)
  if (asked === null) return refusal(400, 'MALFORMED_SEARCH', `unexpected: ${query}`)
  const [, terms = '', returning = ''] = asked
  const phrases = terms.split(' OR ').map((term) => {
    const inner = /^"(.*)"$/.exec(term)?.[1]
    if (inner === undefined || /(?<!\\)[?&|!{}[\]()^~*:"'+-]/.test(inner)) return null
    return wordsOf(inner.replaceAll('\\', ''))
  })
  if (phrases.includes(null)) return refusal(400, 'MALFORMED_SEARCH', 'reserved character')
  const types = [...returning.matchAll(/(Contact|Lead)\(/g)].map(([, type]) => type)
  const found = state.people.filter(
    (person) =>
      types.includes(person.type) &&
      isOpen(person) &&
      phonesOf(person).some((phone) => {
        const words = ` ${wordsOf(phone).join(' ')} `
        return phrases.some((phrase) => words.includes(` ${phrase?.join(' ')} `))
      }),
  )
  return { status: 200, body: { searchRecords: limited(types, found).map(rowOf) } }
}

function queryReply(state: State, query: string): Answer {
  state.queries.push(query)
  const asked =
    /^SELECT .* FROM (Contact|Lead) WHERE \((.*)\)( AND IsConverted = false)? LIMIT 50$/.exec(query)
  if (asked === null) return refusal(400, 'MALFORMED_QUERY', `unexpected token: ${query}`)
  const [, type, conditions = ''] = asked
  const patterns = [...conditions.matchAll(/(\w+) LIKE '([^']*)'/g)].map(
    ([, field = '', like = '']) => ({
      field,
      pattern: new RegExp(`^${like.replaceAll('%', '.*')}$`, 's'),
    }),
  )
  const found = state.people.filter(
    (person) =>
      person.type === type &&
      isOpen(person) &&
      patterns.some(({ field, pattern }) => pattern.test(String(person[field] ?? ''))),
  )
  const records = limited([type], found).map(rowOf)
  return { status: 200, body: { totalSize: records.length, done: true, records } }
}

/** Up to 50 of each type, as the queries ask. */
const limited = (types: readonly (string | undefined)[], found: readonly SalesforceRecord[]) =>
  types.flatMap((type) => found.filter((person) => person.type === type).slice(0, 50))

const isOpen = (person: SalesforceRecord) =>
  person.type === 'Contact' || person.IsConverted !== true

const phonesOf = (person: SalesforceRecord) =>
  Object.entries(person).flatMap(([name, value]) =>
    /Phone$/.test(name) && typeof value === 'string' ? [value] : [],
  )

function rowOf({ type, IsConverted: _, ...fields }: SalesforceRecord) {
  return {
    attributes: { type, url: `/services/data/v62.0/sobjects/${type}/${fields.Id}` },
    ...fields,
  }
}

async function upsertReply(state: State, externalId: string, body: string): Promise<Answer> {
  const { allOrNone, records } = JSON.parse(body) as {
    allOrNone: boolean
    records: (Record<string, unknown> & { attributes: { type: string } })[]
  }
  if (!allOrNone) return refusal(400, 'INVALID_INPUT', 'this server wants allOrNone')
  const before = new Set(state.tasks.keys())
  await withTheOthers(state)
  const results = records.map(({ attributes, ...fields }) => {
    const id = String(fields[externalId])
    const created = !before.has(id)
    const error =
      state.taskError ??
      fieldError(state, attributes.type, fields) ??
      (created && state.tasks.has(id) ? duplicate(externalId, id) : null)
    if (error !== null) return { success: false, errors: [error] }
    state.tasks.set(id, { ...state.tasks.get(id), ...fields })
    return { id: taskId(id), success: true, errors: [], created }
  })
  return { status: 200, body: results }
}

async function withTheOthers(state: State): Promise<void> {
  if (state.racing === 0) return
  const { promise, resolve } = Promise.withResolvers<void>()
  state.racers.push(resolve)
  if (state.racers.length === state.racing) {
    state.racing = 0
    for (const goOn of state.racers.splice(0)) goOn()
  }
  await promise
}

const taskId = (externalId: string) => `00T${externalId.slice(0, 12)}`

/** An upsert whose record another one has made meanwhile, in the words of Salesforce Help 000383480. */
const duplicate = (field: string, id: string): TaskError => ({
  statusCode: 'DUPLICATE_VALUE',
  message: `duplicate value found: ${field} duplicates value on record with id: ${taskId(id)}`,
  fields: [],
})

function fieldError(state: State, type: string, fields: object): TaskError | null {
  const unknown = Object.keys(fields).filter((name) => state.unknownFields.has(name))
  if (type === 'Task' && unknown.length === 0) return null
  const message = `No such column '${unknown[0]}' on sobject of type ${type}`
  return { statusCode: 'INVALID_FIELD', message, fields: unknown }
}
