import type { z } from 'zod'
import { formatTypes, type ListFormat } from '#contracts/export.ts'
import type { Page, PageRequest } from '#contracts/page.ts'
import type { Route } from '#contracts/route.ts'
import { wantedFormat } from '#server/http/list-format.ts'
import { type Input, register, type Serving, wrongFields } from '#server/http/serve.ts'

/** A list that can be exported: its query has the page and the format. */
interface ListRoute extends Route {
  readonly exported: NonNullable<Route['exported']>
  readonly query: z.ZodType<PageRequest & { readonly format?: ListFormat | undefined }>
}

/**
 * Serves one list of the contract: a page as JSON, or, by `?format=` or `Accept`, all of it as a stream. `page` reads
 * one page of what the input asks for; an export calls it again and again with larger pages, `pageSize` items each.
 */
export function serveList<R extends ListRoute, T>(
  serving: Serving,
  route: R,
  pageSize: number,
  page: (input: Input<R>, page: PageRequest) => Promise<Page<T>>,
): void {
  register(serving, route, async (request, reply, input) => {
    const query: PageRequest & { readonly format?: ListFormat | undefined } = input.query
    const format = query.format ?? wantedFormat(request.headers.accept)
    reply.header('vary', 'accept')
    if (format === 'json') {
      const body = JSON.stringify(route.answer.parse(await page(input, query)))
      return reply.type('application/json; charset=utf-8').send(body)
    }
    const paging = ['limit', 'cursor'].filter((name) => name in (request.query as object))
    if (paging.length > 0) {
      const message = 'an export has the whole list: leave it out'
      throw wrongFields(paging.map((field) => ({ field, code: 'invalid', message })))
    }
    if (request.method === 'HEAD') return reply.type(formatTypes[format]).send()
    return await serving.exports.send(request, reply, {
      name: route.exported,
      format,
      accountId: input.caller.id,
      page: async (wanted) => await page(input, wanted),
      pageSize,
    })
  })
}
