/** A token endpoint as RFC 6749 has it, and a receiver that takes only the tokens it gave. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { listening, portOf } from '#test/support/sending.ts'

export interface TokenAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
}

export interface TokenServer extends AsyncDisposable {
  readonly url: string
  /** What was asked, in the order of arrival. */
  readonly asked: { readonly authorization: string | null; readonly form: URLSearchParams }[]
  /** Instead of a token; null: never an answer. */
  answer: (() => TokenAnswer | null) | null
  readonly expiresIn: { seconds: unknown }
  /** The token given last, with the scheme. */
  readonly latest: () => string
}

export async function startTokenServer(): Promise<TokenServer> {
  const asked: TokenServer['asked'] = []
  const expiresIn: { seconds: unknown } = { seconds: 3600 }
  const server = createServer(async (request, response) => {
    const form = new URLSearchParams(await text(request))
    asked.push({ authorization: request.headers.authorization ?? null, form })
    const token = {
      access_token: `t0ken-number-${asked.length}`,
      token_type: 'bearer',
      expires_in: expiresIn.seconds,
    }
    const answer = state.answer === null ? { body: JSON.stringify(token) } : state.answer()
    if (answer === null) return
    response.writeHead(answer.status ?? 200, answer.headers).end(answer.body)
  })
  await listening(server)
  const state: TokenServer = {
    url: `http://127.0.0.1:${portOf(server)}/token`,
    asked,
    answer: null,
    expiresIn,
    latest: () => `Bearer t0ken-number-${asked.length}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return state
}
