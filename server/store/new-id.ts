import { randomBytes } from 'node:crypto'
import { type IdKind, idPrefixes } from '#contracts/ids.ts'
import { crockford } from '#server/domain/crockford.ts'

/** A random id with the prefix of its kind and 100 bits of chance: `wh_7Q2M…`. */
export function newId(kind: IdKind): string {
  let id = `${idPrefixes[kind]}_`
  for (const byte of randomBytes(20)) id += crockford[byte & 31]
  return id
}

/**
 * The id of a row that the database numbers: the prefix and the number in base 32. Deliveries and attempts have such
 * ids, so that the largest tables need no second index and no random writes.
 */
export function idOfNumber(kind: IdKind, number: number): string {
  return `${idPrefixes[kind]}_${number.toString(32).toUpperCase().padStart(10, '0')}`
}

/** The number in such an id; null for a text that no row can have as its id. */
export function numberOfId(kind: IdKind, id: string): number | null {
  const prefix = `${idPrefixes[kind]}_`
  if (!id.startsWith(prefix)) return null
  const number = Number.parseInt(id.slice(prefix.length), 32)
  return Number.isSafeInteger(number) && idOfNumber(kind, number) === id ? number : null
}

/** What holds the leases of a process; see `Store.holder`. `losses`: how often it lost sight of them. */
export const holderId = (node: string, losses = 0): string => `${node}.${losses}`

/** An id for a process: letters and digits only, so that it is no pattern in SQL. */
export function newNodeId(): string {
  return randomBytes(8).toString('hex')
}
