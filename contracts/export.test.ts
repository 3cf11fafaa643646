import { expect, test } from 'vitest'
import { z } from 'zod'
import { Attempt, Delivery } from '#contracts/delivery.ts'
import { listEventFields } from '#contracts/events/fields.ts'
import { exportColumns } from '#contracts/export.ts'

/** The paths of the plain values of an object; a list or a record counts as one. */
function pathsOf(schema: z.ZodObject, before = ''): string[] {
  return Object.entries(schema.shape).flatMap(([name, field]) =>
    field instanceof z.ZodObject ? pathsOf(field, `${before}${name}.`) : [`${before}${name}`],
  )
}

test.each([
  ['deliveries', Delivery],
  ['attempts', Attempt],
] as const)('%s are exported with every field that they have', (name, schema) => {
  expect(exportColumns[name].toSorted()).toEqual(pathsOf(schema).toSorted())
})

test('the columns of events are fields of events', () => {
  const envelope = ['id', 'type', 'occurred_at', 'sequence', 'backfilled']
  const paths = listEventFields().map((field) => field.path)
  for (const column of exportColumns.events) expect([...envelope, ...paths]).toContain(column)
})
