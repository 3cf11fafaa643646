import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { Problem } from '#contracts/problem.ts'
import type { AudioLinks } from '#server/domain/audio-link.ts'
import { serveApi } from '#server/http/serve-api.ts'

import { createSender } from '#server/outbound/attempt.ts'
import { createNameResolver } from '#server/outbound/name-resolver.ts'

import { type AgentHub, createAgentHub } from '#server/pbx/agent/agent-hub.ts'

import { endOfRecord, pbxProducts } from '#server/pbx/products.ts'
import { callAudio } from '#server/pipeline/call-audio.ts'
import { firstCursor } from '#server/pipeline/capture-batch.ts'
import type { PbxState } from '#server/pipeline/pbx-state.ts'
import { createTester } from '#server/pipeline/send-test.ts'
import { readPredefinedWebhooks } from '#server/predefined-webhooks.ts'
import { type Account, ensureAccount } from '#server/store/accounts.ts'
import { createApiKey } from '#server/store/api-keys.ts'
import { idempotencyKeysIn } from '#server/store/idempotency-keys.ts'
import { openStore, type StoreOptions } from '#server/store/open-store.ts'
import type { Store } from '#server/store/store.ts'
import { type DnsReply, startDnsServer } from '#test/support/dns-server.ts'
import { loopbackPolicy, templates } from '#test/support/sending.ts'
import { asDocumented } from './as-documented.ts'

/** A reply: JSON parsed, problems proved to be problems of our form. */
export interface Reply {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects by matching
  readonly body: any
}

export interface Client {
  readonly account: Account
  readonly key: string
  request(
    method: string,
    path: string,
    options?: { readonly body?: unknown; readonly headers?: Record<string, string> },
  ): Promise<Reply>
}

export interface Api extends AsyncDisposable {
  readonly url: string
  readonly store: Store
  /** Two customers of one server. */
  readonly anna: Client
  readonly bert: Client
  /** Where the folders of managed PBXs are. */
  readonly pbxFolder: string
  readonly links: AudioLinks
  /** UUIDs of services that the routes reported as changed. */
  readonly servicesChanged: readonly string[]
  /** How the PBXs of services are doing, by UUID; to be set by tests. */
  readonly states: Map<string, PbxState>
  /** The lines of the log so far. */
  readonly log: () => readonly Record<string, unknown>[]
  /** Where the PBXs of agents are opened. */
  readonly agents: AgentHub
  readonly setOpen: (open: boolean) => void
}

/** Where the API is said to be. */
export const publicUrl = 'https://offhook.example'

async function readReply(response: Response): Promise<Reply> {
  const text = await response.text()
  const { status, headers } = response
  if (headers.get('content-type')?.startsWith('application/problem+json')) {
    const body = Problem.parse(JSON.parse(text))
    if (body.status !== status) throw new Error(`a problem of ${body.status} came with ${status}`)
    return { status, headers, body }
  }
  return { status, headers, body: text === '' ? undefined : JSON.parse(text) }
}

async function clientOf(store: Store, url: string, name: string): Promise<Client> {
  const account = await ensureAccount(store, name, Date.now())
  const { key } = await createApiKey(store, account.id, 'test', Date.now())
  return {
    account,
    key,
    async request(method, path, { body, headers = {} } = {}) {
      const given = body === undefined ? {} : { 'content-type': 'application/json' }
      const response = await fetch(url + path, {
        method,
        headers: { authorization: `Bearer ${key}`, ...given, ...headers },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      const reply = await readReply(response)
      asDocumented(method, path, reply)
      return reply
    },
  }
}

/** What names of receivers mean to the API under test. */
function meaningOf(name: string): DnsReply {
  if (name.endsWith('.internal.example')) return { addresses: ['10.0.0.5'] }
  return name.endsWith('.example') ? { addresses: ['93.184.215.14'] } : {}
}

/** The real API on a free port over a real database: that one, or one in a temporary folder. */
export async function startApi(database?: StoreOptions): Promise<Api> {
  await using parts = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'offhook-api-'))
  parts.defer(async () => await rm(folder, { recursive: true, force: true }))
  const url = `sqlite:${join(folder, 'offhook.db')}`
  const store = parts.adopt(await openStore(database ?? { url }), (s) => s.close())
  const dns = parts.use(await startDnsServer(meaningOf))
  const resolver = createNameResolver({ servers: [dns.address] })
  const sender = parts.adopt(createSender({ resolver, policy: loopbackPolicy }), (s) => s.close())
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })
  const changed: string[] = []
  const agents = createAgentHub(Date.now)
  const pbxFolder = join(folder, 'pbx')
  const asterisk = async () => {
    throw new Error('nobody asked for an Asterisk')
  }
  const products = pbxProducts({ folder: pbxFolder, asterisk, agents, denied: [], log })
  const links = { publicUrl, key: store.secrets.keyFor('test'), ttlMs: 60_000 }
  const states = new Map<string, PbxState>()
  let open = true
  const server = parts.adopt(
    serveApi(
      {
        store,
        idempotencyKeys: idempotencyKeysIn(store, Date.now),
        now: Date.now,
        captureFrom: async (connection) => {
          const record = await endOfRecord(connection)
          return record === null ? null : firstCursor(record)
        },
        serviceLeaves: async () => undefined,
        servicesChanged: (uuid) => void changed.push(uuid),
        pbxState: (uuid) => states.get(uuid) ?? null,
        takesTestCalls: () => false,
        placeTestCall: async () => false,
        whyForbidden: sender.whyForbidden,
        agents,
        openAudio: callAudio(store, products),
        links,
        version: '0.0.0',
        templates,
        tester: createTester({ store, sender, templates, version: '0.0.0', now: Date.now }),
        predefined: readPredefinedWebhooks(folder).definitions,
        open: () => open,
        owns: () => [],
      },
      log,
    ),
    (s) => s.close(),
  )
  await server.listen({ host: '127.0.0.1', port: 0 })
  const address = `http://127.0.0.1:${(server.server.address() as AddressInfo).port}`
  const anna = await clientOf(store, address, 'anna')
  const bert = await clientOf(store, address, 'bert')
  const opened = parts.move()
  return {
    url: address,
    store,
    anna,
    bert,
    pbxFolder,
    links,
    servicesChanged: changed,
    agents,
    states,
    log: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    setOpen: (value) => {
      open = value
    },
    [Symbol.asyncDispose]: async () => await opened.disposeAsync(),
  }
}
