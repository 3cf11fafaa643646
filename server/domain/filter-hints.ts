/** What of a webhook's filters is allowed, and perhaps not what was meant. */
import type { EventType } from '#contracts/events/catalogue.ts'
import { fieldPath } from '#contracts/field-path.ts'
import { nearestName } from '#contracts/nearest-name.ts'
import type { PbxDocument } from '#contracts/pbx.ts'
import type { Preview } from '#contracts/preview.ts'
import type { FilterName, Filters } from '#contracts/webhook/filters.ts'
import { filterConcerns, filtersSet } from '#server/domain/filter.ts'
import { whyInVain } from '#server/domain/filters-in-vain.ts'

/** `document`: of the PBX that the webhook is for; null: of no PBX in particular, or not known. */
export function filterHints(
  type: EventType,
  filters: Filters,
  document: PbxDocument | null,
): Preview['hints'] {
  return [
    ...unconcerned(type, filters),
    ...inVain(type, filters),
    ...(document === null ? [] : unknown(filters, document)),
  ]
}

function unconcerned(type: EventType, filters: Filters): Preview['hints'] {
  return filtersSet(filters)
    .filter((name) => !filterConcerns(name, type))
    .map((name) => ({
      field: fieldPath(['filters', name]),
      message: `${type} never has it: this filter stops no event of that type`,
    }))
}

function inVain(type: EventType, filters: Filters): Preview['hints'] {
  return filtersSet(filters).flatMap((name) => {
    const why = whyInVain(type, name, filters)
    if (why === null) return []
    return [{ field: fieldPath(['filters', name]), message: `no ${type} passes: ${why}` }]
  })
}

/** Objects may be made later, and be gone that past events had: such values are not refused. */
function unknown(filters: Filters, document: PbxDocument): Preview['hints'] {
  return namesOf(document).flatMap(({ filter, called, names }) =>
    filters[filter].flatMap((wanted, i) => {
      if (names.includes(wanted)) return []
      const nearest = nearestName(wanted, names)
      const meant = nearest === null ? '' : `: did you mean "${nearest}"?`
      return [
        {
          field: fieldPath(['filters', filter, i]),
          message: `the PBX has no ${called} "${wanted}"${meant}`,
        },
      ]
    }),
  )
}

interface Names {
  readonly filter: Exclude<FilterName, 'min_duration'>
  readonly called: string
  readonly names: readonly string[]
}

function namesOf(document: PbxDocument): readonly Names[] {
  const { users, queues, ring_groups, ivrs } = document
  const called = (objects: readonly { readonly name: string }[]) => objects.map((o) => o.name)
  return [
    { filter: 'users', called: 'user', names: users.map((user) => user.uuid) },
    {
      filter: 'extensions',
      called: 'user with the extension',
      names: users.map((user) => user.extension_number),
    },
    { filter: 'queues', called: 'queue', names: called(queues) },
    { filter: 'ring_groups', called: 'ring group', names: called(ring_groups) },
    { filter: 'ivrs', called: 'IVR', names: called(ivrs) },
    {
      filter: 'ivr_options',
      called: 'IVR with the option',
      names: ivrs.flatMap((ivr) => Object.keys(ivr.options)),
    },
  ]
}
