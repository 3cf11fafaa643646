/**
 * What `offhook agent` and the server say to each other. The agent stands beside a PBX on another machine, reads its
 * durable record there, and ships it; docs/decisions has why it is so.
 *
 * `connect` tells the agent how far the server has the record. Each `records` then names the cursor that it goes on
 * from (`after`) and the one behind its rows; its reply comes when they are committed. A request that goes on from
 * another place than the server's is refused and changes nothing, so that a repetition is harmless, and two agents of
 * one service cannot mix their rows.
 */
import { z } from 'zod'
import { Timestamp } from '#contracts/events/facts.ts'

/** Raised when an older agent would be understood wrongly. */
export const agentProtocol = 1

/** A token of an agent: shown once, by the reply that makes it. */
export const AgentToken = z
  .string()
  .regex(/^oha_[A-Za-z0-9_-]{43}$/, 'must be a token as the API gives it, oha_…')

export const NewAgentToken = z
  .object({
    token: AgentToken.meta({
      description: 'What the agent shows; shown in this reply only. The one before is void.',
    }),
  })
  .meta({ id: 'NewAgentToken' })
export type NewAgentToken = z.infer<typeof NewAgentToken>

const version = z.string().max(40)
const cursor = z
  .string()
  .max(16_384)
  .meta({ description: 'How far the record was read: text that only the agent understands.' })

export const AgentHello = z
  .strictObject({
    protocol: z.literal(agentProtocol),
    version: version.meta({ description: 'Of the agent.' }),
  })
  .meta({ id: 'AgentHello' })
export type AgentHello = z.infer<typeof AgentHello>

/** Both times of the server, so that the way of a message can be told from its handling. */
const serverClock = {
  received_at: Timestamp.meta({ description: 'By the clock of the server.' }),
  replied_at: Timestamp.meta({ description: 'By the clock of the server.' }),
}

export const AgentWelcome = z
  .object({
    service: z.object({ uuid: z.uuid(), name: z.string() }),
    session: z.string(),
    cursor: cursor.meta({ description: 'What the server has committed; "" before the first row.' }),
    ...serverClock,
  })
  .meta({ id: 'AgentWelcome' })
export type AgentWelcome = z.infer<typeof AgentWelcome>

const text = z.string().max(1_000_000)
/** Epoch milliseconds, fractions kept: they order the rows. */
const time = z.number().min(0)

/** A row of the record; the shapes of `server/domain/calls/rows.ts`. */
const AgentRow = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('cel'),
    type: text,
    mark: text,
    at: time,
    callerName: text,
    callerNumber: text,
    extension: text,
    context: text,
    channel: text,
    app: text,
    appData: text,
    uniqueId: text,
    linkedId: text,
    peer: text,
    extra: z.record(z.string(), z.unknown()),
  }),
  z.strictObject({
    kind: z.literal('queue_log'),
    at: time,
    uniqueId: text,
    queue: text,
    agent: text,
    event: text,
    data: z.array(text).max(1_000),
  }),
])

/** The clock of the agent's machine against the server's. */
const AgentClock = z.object({
  offset_ms: z.number().meta({ description: 'How much it is ahead of the server; < 0: behind.' }),
  round_trip_ms: z.number().min(0).meta({ description: 'Of the message it was measured by.' }),
})
export type AgentClock = z.infer<typeof AgentClock>

export const AgentRecords = z
  .strictObject({
    session: z.string().max(100),
    after: cursor,
    cursor,
    rows: z.array(AgentRow).max(20_000),
    more: z.boolean().meta({ description: 'There is more to come at once: it is not caught up.' }),
    remarks: z
      .array(z.strictObject({ message: text, facts: z.record(z.string(), z.unknown()) }))
      .max(100)
      .meta({ description: 'What in the record is not as it should be, for the log.' }),
    clock: AgentClock.nullable(),
    leaving: z.boolean().meta({ description: 'The agent stops; nothing follows.' }),
  })
  .meta({ id: 'AgentRecords' })
export type AgentRecords = z.infer<typeof AgentRecords>

export const AgentReceipt = z
  .object({ cursor: cursor.meta({ description: 'What is committed now.' }), ...serverClock })
  .meta({ id: 'AgentReceipt' })
export type AgentReceipt = z.infer<typeof AgentReceipt>

/** What the API tells of the agent of a service. */
export const AgentState = z
  .object({
    connected: z.boolean(),
    version: version.nullable().meta({ description: 'Of the agent that was seen last.' }),
    connected_at: Timestamp.nullable(),
    last_seen_at: Timestamp.nullable(),
    caught_up: z.boolean().meta({ description: 'False: it is shipping what piled up.' }),
    clock: AgentClock.nullable().meta({
      description: 'The clock of the PBX’s machine. Times of events are those that the PBX wrote.',
    }),
  })
  .meta({ id: 'AgentState' })
export type AgentState = z.infer<typeof AgentState>
