import { type AmiClient, startAmiClient } from '#server/pbx/asterisk/ami-client.ts'
import { amiField } from '#server/pbx/asterisk/ami-codec.ts'
import type { LinkDownReason, PbxLink, PbxListener } from '#server/pbx/pbx.ts'

export interface AmiLinkOptions {
  readonly host: string
  readonly port: number
  readonly username: string
  readonly secret: string
  /** As in AmiSessionOptions. */
  readonly refuses?: (address: string) => boolean
  readonly firstPauseMs?: number
  readonly longestPauseMs?: number
}

export interface AmiLink extends PbxLink {
  readonly client: AmiClient
  close(): Promise<void>
}

type State =
  | { readonly is: 'unknown' }
  | { readonly is: 'up'; readonly bootedAt: number | null }
  | { readonly is: 'down'; readonly reason: LinkDownReason }

/** The link to an Asterisk by its manager interface, for any number of listeners. Connects at once. */
export function openAmiLink(options: AmiLinkOptions): AmiLink {
  const listeners = new Set<PbxListener>()
  const stop = new AbortController()
  let state: State = { is: 'unknown' }
  const client = startAmiClient({
    ...options,
    onEvent: () => {
      for (const on of listeners) on.activity()
    },
    onUp: ({ bootedAt }) => {
      state = { is: 'up', bootedAt }
      for (const on of listeners) on.up({ bootedAt })
    },
    onDown: (reason) => {
      state = { is: 'down', reason }
      for (const on of listeners) on.down(reason)
    },
    signal: stop.signal,
  })
  return {
    client,
    run: async (on, signal) => {
      if (signal.aborted) return
      const ended = new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
      listeners.add(on)
      if (state.is === 'up') on.up({ bootedAt: state.bootedAt })
      if (state.is === 'down') on.down(state.reason)
      await ended
      listeners.delete(on)
    },
    listChannels: async () => {
      const channels = await client.list('CoreShowChannels')
      return new Set(channels.map((c) => amiField(c, 'Uniqueid')))
    },
    close: async () => {
      stop.abort()
      await client.closed
    },
  }
}
