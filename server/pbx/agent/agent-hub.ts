import type { AgentRecords, AgentState } from '#contracts/agent.ts'
import { type AgentPbx, createAgentPbx, type Shipped } from '#server/pbx/agent/agent-pbx.ts'
import type { AttachedPbx } from '#server/pbx/pbx.ts'

/** Where agents, which come by the API, meet the PBXs that they ship, which the services run. */
export interface AgentHub {
  /** The PBX of a service that runs here now; until its link is closed. */
  readonly open: (serviceUuid: string, trunks: readonly string[]) => AttachedPbx
  /** Null: the service does not run here, or not yet. */
  readonly connect: (serviceUuid: string, version: string) => ReturnType<AgentPbx['connect']>
  readonly ship: (serviceUuid: string, records: AgentRecords) => Promise<Shipped>
  readonly state: (serviceUuid: string) => AgentState | null
}

export function createAgentHub(now: () => number): AgentHub {
  const agents = new Map<string, AgentPbx>()
  return {
    open: (serviceUuid, trunks) => {
      const agent = createAgentPbx({ trunks: trunks.length > 0 ? new Set(trunks) : null, now })
      agents.set(serviceUuid, agent)
      const { link } = agent.pbx
      return {
        ...agent.pbx,
        link: link && {
          ...link,
          close: async () => {
            if (agents.get(serviceUuid) === agent) agents.delete(serviceUuid)
            await link.close()
          },
        },
      }
    },
    connect: (serviceUuid, version) => agents.get(serviceUuid)?.connect(version) ?? null,
    ship: async (serviceUuid, records) =>
      (await agents.get(serviceUuid)?.ship(records)) ?? { is: 'no_session' },
    state: (serviceUuid) => agents.get(serviceUuid)?.state() ?? null,
  }
}
