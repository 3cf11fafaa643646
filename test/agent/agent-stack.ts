/** A server, a receiver, and the agent of a PBX that has only a record, which a test writes. */
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NewAgentToken } from '#contracts/agent.ts'
import type { Event } from '#contracts/events/catalogue.ts'
import type { ShownService } from '#contracts/service.ts'
import { createService, createWebhook, newSecret, storedEvents } from '#test/asterisk/stack.ts'
import {
  type AgentProcess,
  type AgentProcessOptions,
  startAgent,
} from '#test/support/agent-process.ts'
import { type OffhookProcess, startOffhook } from '#test/support/offhook-process.ts'
import { type Receiver, startReceiver } from '#test/support/receiver.ts'
import { startTcpProxy, type TcpProxy } from '#test/support/tcp-proxy.ts'
import { waitUntil } from '#test/support/wait-until.ts'

export interface AgentStack extends AsyncDisposable {
  readonly offhook: OffhookProcess
  readonly receiver: Receiver
  readonly service: ShownService
  /** The line between the agent and the server. */
  readonly line: TcpProxy
  readonly celPath: string
  readonly tokenFile: string
  /** How an agent of this service is started. */
  readonly agentOptions: AgentProcessOptions
  readonly startAgent: (options?: Partial<AgentProcessOptions>) => AgentProcess
  readonly write: (rows: string) => Promise<void>
  readonly shown: () => Promise<ShownService>
  /** Waits until the agent is connected and has shipped what there was. */
  readonly caughtUp: () => Promise<void>
  /** Events of calls, oldest first. */
  readonly callEvents: () => Promise<readonly Event[]>
}

/** No agent runs yet; the CEL file has one call that is history. */
export async function startAgentStack(history: string): Promise<AgentStack> {
  await using parts = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'offhook-agent-'))
  parts.defer(() => rm(folder, { recursive: true, force: true }))
  const celPath = join(folder, 'cel.csv')
  const queueLogPath = join(folder, 'queue_log')
  await writeFile(celPath, history)
  await writeFile(queueLogPath, '')
  const secret = newSecret()
  const receiver = parts.use(await startReceiver({ secret }))
  const offhook = parts.use(await startOffhook())
  const line = parts.use(await startTcpProxy(Number(new URL(offhook.url).port)))
  await createWebhook(offhook, receiver, null, { secret })
  const { uuid } = await createService(offhook, {
    name: 'branch',
    friendly_name: 'Branch office',
    connection: { kind: 'asterisk_agent', trunks: ['trunk'] },
  })
  const { token } = await offhook.api<NewAgentToken>('POST', `/services/${uuid}/agent-token`)
  const tokenFile = join(folder, 'token')
  await writeFile(tokenFile, `${token}\n`, { mode: 0o600 })
  const agentOptions = {
    ...{ server: `http://127.0.0.1:${line.port}`, tokenFile, celPath, queueLogPath },
  }
  const agents = parts.use(new AsyncDisposableStack())
  const shown = () => offhook.api<ShownService>('GET', `/services/${uuid}`)
  const opened = parts.move()
  return {
    ...{ offhook, receiver, line, celPath, tokenFile, agentOptions, shown },
    service: await shown(),
    startAgent: (options) => agents.use(startAgent({ ...agentOptions, ...options })),
    write: (rows) => appendFile(celPath, rows),
    caughtUp: async () => {
      await waitUntil(async () => (await shown()).status.agent?.caught_up, {
        what: 'the agent has caught up',
        timeoutMs: 20_000,
      })
    },
    callEvents: async () => (await storedEvents({ offhook })).filter((e) => e.sequence !== null),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
