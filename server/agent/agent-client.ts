/** The requests of an agent to its server: JSON, compressed, with the token. */
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { Agent, request } from 'undici'
import type { z } from 'zod'
import { AgentReceipt, type AgentRecords, AgentWelcome, agentProtocol } from '#contracts/agent.ts'
import { Problem, type ProblemCode } from '#contracts/problem.ts'
import { type ClockOffset, offsetNow, offsetOf } from '#server/domain/clock-offset.ts'
import type { RecordBatch } from '#server/pbx/pbx.ts'

const compress = promisify(gzip)

/** Longer than the server lets a shipment wait for its commit. */
const replyWithinMs = 30_000
/** The clock is told by the best of so many messages, about a minute's. */
const clockSamples = 12
/** A smaller body is hardly made smaller by compressing it. */
const compressFrom = 1_000

/** `code` null: there was no answer of Offhook's, whatever there was instead. */
export class AgentClientError extends Error {
  readonly code: ProblemCode | null

  constructor(code: ProblemCode | null, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'AgentClientError'
    this.code = code
  }
}

export interface AgentClientOptions {
  /** Where the API is, before `/api`: `https://offhook.example.com`. */
  readonly server: string
  readonly token: string
  readonly version: string
  /** PEM of the authorities to trust; null: those of Node. */
  readonly ca: string | null
}

/** As AgentRecords says of each. */
export interface Shipment
  extends Pick<AgentRecords, 'session' | 'after' | 'cursor' | 'more' | 'leaving'>,
    Pick<RecordBatch, 'rows' | 'remarks'> {}

/** All throw AgentClientError. */
export interface AgentClient {
  readonly server: string
  readonly connect: (signal: AbortSignal) => Promise<AgentWelcome>
  readonly ship: (shipment: Shipment, signal: AbortSignal) => Promise<AgentReceipt>
  readonly close: () => Promise<void>
}

export function createAgentClient(options: AgentClientOptions): AgentClient {
  const dispatcher = new Agent({
    connections: 1,
    connect: { timeout: 10_000, ...(options.ca !== null && { ca: options.ca }) },
    headersTimeout: replyWithinMs,
    bodyTimeout: replyWithinMs,
    // The next message follows within 5 s: a new connection for each would cost more than the message.
    keepAliveTimeout: 60_000,
  })
  let offsets: readonly ClockOffset[] = []

  async function exchange<S extends z.ZodType<AgentWelcome | AgentReceipt>>(
    path: string,
    body: object,
    answer: S,
    signal: AbortSignal,
  ): Promise<z.output<S>> {
    const sentAt = Date.now()
    const reply = await post(dispatcher, options, path, body, signal)
    const arrivedAt = Date.now()
    const parsed = answer.safeParse(reply)
    if (!parsed.success) throw new AgentClientError(null, 'The answer is not one of Offhook’s.')
    const { received_at, replied_at } = parsed.data
    const offset = offsetOf({
      sentAt,
      receivedAt: Date.parse(received_at),
      repliedAt: Date.parse(replied_at),
      arrivedAt,
    })
    offsets = [...offsets.slice(1 - clockSamples), offset]
    return parsed.data
  }

  return {
    server: options.server,
    connect: (signal) => {
      // A clock that was set, or a server on another machine: what was measured before says nothing.
      offsets = []
      const hello = { protocol: agentProtocol, version: options.version }
      return exchange('connect', hello, AgentWelcome, signal)
    },
    ship: (shipment, signal) =>
      exchange('records', { ...shipment, clock: offsetNow(offsets) }, AgentReceipt, signal),
    close: () => dispatcher.destroy(),
  }
}

async function post(
  dispatcher: Agent,
  { server, token }: AgentClientOptions,
  path: string,
  body: object,
  signal: AbortSignal,
): Promise<unknown> {
  const text = JSON.stringify(body)
  const small = text.length < compressFrom
  try {
    const response = await request(`${server}/api/v1/agent/${path}`, {
      method: 'POST',
      dispatcher,
      signal,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        ...(!small && { 'content-encoding': 'gzip' }),
      },
      body: small ? text : await compress(text),
    })
    const answer = jsonOf(await response.body.text())
    if (response.statusCode === 200) return answer
    const problem = Problem.safeParse(answer)
    throw problem.success
      ? new AgentClientError(problem.data.code, `${problem.data.title}. ${problem.data.detail}`)
      : new AgentClientError(null, `The server answered with status ${response.statusCode}.`)
  } catch (error) {
    if (error instanceof AgentClientError) throw error
    const why = error instanceof Error ? error.message || error.name : String(error)
    throw new AgentClientError(null, `The server cannot be reached: ${why}.`, { cause: error })
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
