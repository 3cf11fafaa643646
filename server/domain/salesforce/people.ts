/** Whom a call is with: of those that the queries found, the one whose number it is. */
import {
  mostRecords,
  type PersonKind,
  type SearchedNumber,
} from '#server/domain/salesforce/phone-search.ts'
import { type Likeness, likenessOf } from '#server/domain/salesforce/same-number.ts'

/** A Contact or Lead as the queries return it. */
export interface Person {
  readonly kind: PersonKind
  readonly id: string
  readonly ownerId: string | null
  /** Epoch milliseconds. */
  readonly changedAt: number
  readonly phones: readonly string[]
}

/** What was found: nobody, one, or several between whom the setting did not decide. */
export interface FoundPeople {
  readonly chosen: Person | null
  /** Whose number it is. */
  readonly all: readonly Person[]
  /** Whose record lacks the area code, or who have it where the call lacked it. */
  readonly possible: readonly Person[]
  /** There may be more of this kind with the number than were read; null: there are none. */
  readonly unread: PersonKind | null
}

export const nobody: FoundPeople = { chosen: null, all: [], possible: [], unread: null }

/** Those of one kind; `answers` are all that the queries for it returned. */
export function peopleOfKind(
  kind: PersonKind,
  answers: readonly (readonly Person[])[],
  number: SearchedNumber,
): FoundPeople {
  const ofKind = answers.map((people) => people.filter((person) => person.kind === kind))
  const byId = new Map(ofKind.flat().map((person) => [person.id, person]))
  const like = (likeness: Likeness) =>
    [...byId.values()].filter((person) => likenessOf(person.phones, number) === likeness)
  const full = ofKind.some((people) => people.length >= mostRecords)
  return { chosen: null, all: like('same'), possible: like('possible'), unread: full ? kind : null }
}

/** Never a guess: several people with the number are told apart by what the administrator chose, or not at all. */
export function choosePerson(
  found: FoundPeople,
  several: 'none' | 'most_recent' | 'owner',
  ownerId: string | null,
): FoundPeople {
  if (found.unread !== null) return found
  const { all } = found
  if (all.length <= 1) return { ...found, chosen: all[0] ?? null }
  switch (several) {
    case 'none':
      return found
    case 'most_recent':
      return { ...found, chosen: all.toSorted((a, b) => b.changedAt - a.changedAt)[0] ?? null }
    case 'owner': {
      const own = all.filter((person) => ownerId !== null && person.ownerId === ownerId)
      return { ...found, chosen: own.length === 1 ? (own[0] ?? null) : null }
    }
  }
}
