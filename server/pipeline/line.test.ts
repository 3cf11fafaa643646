import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLine } from '#server/pipeline/line.ts'
import type { Lease } from '#server/store/claim.ts'

let made = 0

function lease(
  webhook: string,
  call: string | null = null,
  concurrency = 2,
  troubled = false,
): Lease {
  made += 1
  return {
    deliverySeq: made,
    claimId: 'claim',
    webhook: {
      id: webhook,
      url: 'http://127.0.0.1:9/',
      retries: 3,
      timeoutMs: 1_000,
      concurrency,
      sealedSecrets: '[]',
      troubled,
      probe: false,
      tlsVersion: null,
      requestVersion: null,
    },
    event: { id: `evt_${made}`, type: 'call.ended', body: '{}' },
    eventDay: 0,
    call,
    attempts: 0,
    roundAttempts: 0,
    resends: 0,
  }
}

test('a lane has no more under way than its concurrency, quick ones together no more than two thirds of the slots', () => {
  const sent: Lease[] = []
  const line = createLine(
    () => 4,
    (one) => sent.push(one),
    () => 0,
  )
  line.add(
    [1, 2, 3].map(() => lease('a')),
    0,
  )
  line.add(
    [1, 2, 3].map(() => lease('b')),
    0,
  )
  expect(sent.map((one) => one.webhook.id)).toEqual(['a', 'a', 'b'])
  expect(line.waiting()).toBe(3)
  line.ended(sent[0] as Lease)
  // The other lane had waited for its turn.
  expect(sent.map((one) => one.webhook.id)).toEqual(['a', 'a', 'b', 'b'])
})

test('first tries of a call go one after the other, others pass them', () => {
  const sent: Lease[] = []
  const line = createLine(
    () => 9,
    (one) => sent.push(one),
    () => 0,
  )
  const [x1, x2, y1, none] = [lease('a', 'x'), lease('a', 'x'), lease('a', 'y'), lease('a')]
  line.add([x1, x2, y1, none] as Lease[], 0)
  expect(sent).toEqual([x1, y1])
  line.ended(y1 as Lease)
  expect(sent).toEqual([x1, y1, none])
  line.ended(x1 as Lease)
  expect(sent).toEqual([x1, y1, none, x2])
})

test('what waits can be taken back, what is under way not', () => {
  const sent: Lease[] = []
  const line = createLine(
    () => 9,
    (one) => sent.push(one),
    () => 0,
  )
  const [a1, a2, b1] = [lease('a', null, 1), lease('a', null, 1), lease('b', null, 1)]
  const b2 = lease('b', null, 1)
  line.add([a1, a2, b1] as Lease[], 1_000)
  line.add([b2], 2_000)
  expect(line.takeBackOlder(2_000)).toEqual([a2])
  expect(line.takeBack('b')).toEqual([b2])
  expect(line.takeBack('nobody')).toEqual([])
  line.ended(a1 as Lease)
  line.ended(b1 as Lease)
  expect(sent).toEqual([a1, b1])
})

test('nothing is sent without slots, and all that can go when there are some again', () => {
  const sent: Lease[] = []
  let slots = 9
  const line = createLine(
    () => slots,
    (one) => sent.push(one),
    () => 0,
  )
  const [a1, a2, a3] = [lease('a', null, 1), lease('a', null, 1), lease('a', null, 1)]
  line.add([a1, a2], 0)
  slots = 0
  line.ended(a1)
  line.add([a3], 0)
  expect(sent).toEqual([a1])
  slots = 9
  line.pump()
  expect(sent).toEqual([a1, a2])
})

test('lanes in trouble have a third of the slots, and the rest of it when one of them ends', () => {
  const sent: Lease[] = []
  const line = createLine(
    () => 6,
    (one) => sent.push(one),
    () => 0,
  )
  const bad = ['a', 'b', 'c'].map((id) => lease(id, null, 1, true))
  line.add(bad, 0)
  expect(sent).toEqual(bad.slice(0, 2))
  const good = ['d', 'e', 'f'].map((id) => lease(id, null, 1))
  line.add(good, 0)
  expect(sent).toEqual([...bad.slice(0, 2), ...good.slice(0, 2)])
  line.ended(bad[0] as Lease)
  line.ended(bad[1] as Lease)
  expect(new Set(sent)).toEqual(new Set([...bad, ...good]))
})

test('lanes that turn slow with all slots in hand do not keep the others from those that were kept back', () => {
  const sent: Lease[] = []
  let now = 0
  const line = createLine(
    () => 6,
    (one) => sent.push(one),
    () => now,
  )
  const slow = ['a', 'b', 'c', 'd'].map((id) => lease(id, null, 1))
  const quick = ['e', 'f', 'g'].map((id) => lease(id, null, 1))
  line.add(slow, 0)
  expect(line.pumpAt()).toBe(Number.POSITIVE_INFINITY)
  line.add([...quick, lease('a', null, 2)], 0)
  // To the millisecond, not at the next look at the database.
  expect(line.pumpAt()).toBe(1_000)
  now = 999
  line.pump()
  expect(sent).toEqual(slow)
  now = 1_000
  line.pump()
  // Nor is more of a slow lane sent, although it has room.
  expect(sent).toEqual([...slow, ...quick.slice(0, 2)])
  line.ended(quick[0] as Lease)
  expect(sent).toEqual([...slow, ...quick])
})

test('in any mix everything goes once, in the order of its call', () => {
  const steps = fc.array(
    fc.record({ webhook: fc.nat(2), call: fc.option(fc.nat(2)), ends: fc.nat(3), ms: fc.nat(800) }),
  )
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 6 }), (mix, slots) => {
      const under: Lease[] = []
      let now = 0
      const sent: Lease[] = []
      const line = createLine(
        () => slots,
        (one) => {
          under.push(one)
          sent.push(one)
        },
        () => now,
      )
      const added: Lease[] = []
      for (const { webhook, call, ends, ms } of mix) {
        const named = call === null ? null : `c${webhook}${call}`
        const one = lease(`w${webhook}`, named, 2, webhook === 2)
        now += ms
        added.push(one)
        line.add([one], 0)
        for (let i = 0; i < ends && under.length > 0; i += 1) line.ended(under.shift() as Lease)
        expect(under.length).toBeLessThanOrEqual(slots)
        const troubled = under.filter((u) => u.webhook.troubled)
        expect(troubled.length).toBeLessThanOrEqual(Math.max(1, Math.round(slots / 3)))
        const calls = under.flatMap((u) => (u.call === null ? [] : [u.call]))
        expect(new Set(calls).size).toBe(calls.length)
      }
      while (under.length > 0) line.ended(under.shift() as Lease)
      expect(line.waiting()).toBe(0)
      expect(new Set(sent)).toEqual(new Set(added))
      const ordered = sent.filter((one) => one.call !== null)
      for (const ofCall of Map.groupBy(ordered, (one) => one.call).values()) {
        const seqs = ofCall.map((one) => one.deliverySeq)
        expect(seqs).toEqual(seqs.toSorted((a, b) => a - b))
      }
    }),
  )
})
