/**
 * The key of an attempt is the number of its delivery and its own in one integer: the attempts of a delivery stand side
 * by side in the table's own order, and no second index has to be written for it.
 */
export const attemptsOfOne = 4096

/** The most attempts that a delivery can have; it cannot be sent again after that. */
export const mostAttempts = attemptsOfOne - 1

/** `number` counts from 1 within the delivery. */
export function attemptKey(deliverySeq: number, number: number): number {
  if (number < 1 || number > mostAttempts) throw new RangeError(`${number} is no attempt's number`)
  return deliverySeq * attemptsOfOne + number
}

export function deliveryOfKey(key: number): number {
  return Math.floor(key / attemptsOfOne)
}

export function numberOfKey(key: number): number {
  return key % attemptsOfOne
}

/** Keys of a delivery's attempts are above the first and at most the second. */
export function keysOfDelivery(deliverySeq: number): readonly [number, number] {
  return [deliverySeq * attemptsOfOne, deliverySeq * attemptsOfOne + mostAttempts]
}
