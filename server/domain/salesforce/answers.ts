/** What Salesforce answers, parsed once. */
import { z } from 'zod'
import { HeaderToken } from '#server/domain/oauth2.ts'
import type { Person } from '#server/domain/salesforce/people.ts'
import type { PersonKind } from '#server/domain/salesforce/phone-search.ts'

/** Others have filled a field of Salesforce. */
const longestPhone = 255

export const TokenAnswer = z.object({
  access_token: HeaderToken,
  instance_url: z.url({ protocol: /^https?$/ }),
})
export type TokenAnswer = z.infer<typeof TokenAnswer>

const Row = z.looseObject({
  attributes: z.object({ type: z.string() }),
  Id: z.string(),
  OwnerId: z.string().nullish(),
  LastModifiedDate: z.string().nullish(),
})
/** Of a search, or of a query. */
export const PeopleAnswer = z.union([
  z
    .object({ searchRecords: z.array(Row) })
    .transform(({ searchRecords }) => peopleOf(searchRecords)),
  z.object({ records: z.array(Row) }).transform(({ records }) => peopleOf(records)),
])

/** The reply of an upsert of several records, of which there is one. */
export const UpsertAnswer = z
  .array(
    z.object({
      id: z.string().nullish(),
      success: z.boolean(),
      errors: z.array(
        z.object({
          statusCode: z.string(),
          message: z.string(),
          fields: z.array(z.string()).default([]),
        }),
      ),
    }),
  )
  .length(1)

/** Those that are Contacts or Leads. */
function peopleOf(rows: readonly z.infer<typeof Row>[]): readonly Person[] {
  return rows.flatMap((row) => {
    const kind = row.attributes.type
    if (kind !== 'Contact' && kind !== 'Lead') return []
    const phones = Object.entries(row).flatMap(([name, value]) =>
      /Phone$/.test(name) && typeof value === 'string' ? [value.slice(0, longestPhone)] : [],
    )
    const changedAt = Date.parse(row.LastModifiedDate ?? '')
    return [
      {
        kind: kind satisfies PersonKind,
        id: row.Id,
        ownerId: row.OwnerId ?? null,
        changedAt: Number.isNaN(changedAt) ? 0 : changedAt,
        phones,
      },
    ]
  })
}
