import type { AgentRecords, AgentState } from '#contracts/agent.ts'
import type { PredefinedWebhook } from '#contracts/predefined.ts'
import type { PbxConnection } from '#contracts/service.ts'
import type { TestCall } from '#contracts/test-call.ts'
import type { LinkSettings } from '#server/domain/audio-link.ts'
import type { IdempotencyKeys } from '#server/http/idempotency.ts'
import { ProblemError } from '#server/http/problem-error.ts'
import type { OpenCallAudio } from '#server/pipeline/call-audio.ts'
import type { PbxState } from '#server/pipeline/pbx-state.ts'
import type { Tester } from '#server/pipeline/send-test.ts'
import type { Templates } from '#server/pipeline/templates.ts'
import type { Store } from '#server/store/store.ts'

/** What became of a shipment of an agent; `pbx/agent/agent-pbx.ts` says what each means. */
export type AgentShipped =
  | { readonly is: 'committed'; readonly cursor: string }
  | { readonly is: 'elsewhere' | 'no_session' | 'replaced' | 'not_committed' }

/** The agents of the PBXs that run here. */
export interface Agents {
  /** Null: the service does not run here. */
  readonly connect: (
    serviceUuid: string,
    version: string,
  ) => { readonly session: string; readonly cursor: string } | null
  readonly ship: (serviceUuid: string, records: AgentRecords) => Promise<AgentShipped>
  readonly state: (serviceUuid: string) => AgentState | null
}

/** What the routes work with. */
export interface RouteDeps {
  readonly store: Store
  readonly idempotencyKeys: IdempotencyKeys
  /** Epoch milliseconds. */
  readonly now: () => number
  /** The cursor that the capture of a new service begins with; null: it begins where it first looks. */
  readonly captureFrom: (connection: PbxConnection) => Promise<string | null>
  /** Called before a service is deleted: what its PBX keeps on disk goes with it. */
  readonly serviceLeaves: (serviceUuid: string) => Promise<void>
  /** Called after a service or its PBX document changed: the running PBXs follow. */
  readonly servicesChanged: (serviceUuid: string) => void
  /** Places a call on the demo PBX. False: the service is not the demo, or its phones are not up. */
  readonly placeTestCall: (serviceUuid: string, call: TestCall) => Promise<boolean>
  /** How the PBX of a service is doing; null: it does not run here, or not yet. */
  readonly pbxState: (serviceUuid: string) => PbxState | null
  /** Whether `placeTestCall` can place one. */
  readonly takesTestCalls: (serviceUuid: string) => boolean
  /** Why requests to this URL would be refused, as a sentence; null: they would not. */
  readonly whyForbidden: (url: string) => Promise<string | null>
  /** Offhook's. */
  readonly version: string
  readonly tester: Tester
  readonly templates: Templates
  /** By name. */
  readonly predefined: ReadonlyMap<string, PredefinedWebhook>
  readonly agents: Agents
  /** Opens the audio that an event told of; whoever gets it closes it. */
  readonly openAudio: OpenCallAudio
  /** What links to audio are made and checked with. */
  readonly links: LinkSettings
  /** False while the parts behind the API are not open yet, or not any more. */
  readonly open: () => boolean
  /** The services whose PBXs this process captures, by UUID. */
  readonly owns: () => readonly string[]
}

/** The object, or `not_found` where the account has none. */
export function found<T>(object: T | null | undefined): T {
  if (object === null || object === undefined) throw new ProblemError('not_found')
  return object
}

interface Period {
  readonly since?: string | undefined
  readonly until?: string | undefined
}

/** ISO times of a query as epoch milliseconds. */
export function periodOf({ since, until }: Period): { since?: number; until?: number } {
  return {
    ...(since !== undefined && { since: Date.parse(since) }),
    ...(until !== undefined && { until: Date.parse(until) }),
  }
}
