import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { amiField, createAmiDecoder, encodeAmiAction } from '#server/pbx/asterisk/ami-codec.ts'

const bytes = (text: string) => Buffer.from(text.replaceAll('\n', '\r\n'))

describe('decoder', () => {
  test('reads banner, repeated keys, values with colons and UTF-8', () => {
    const [frame, next, ...more] = createAmiDecoder().push(
      bytes(
        'Asterisk Call Manager/11.0.0\nResponse: Success\nChanVariable: A=1: x\nchanvariable: B=ä\nEmpty: \n\nEvent: Hangup\n\n',
      ),
    )
    expect(more).toEqual([])
    expect(frame && Object.fromEntries(frame)).toEqual({
      '': ['Asterisk Call Manager/11.0.0'],
      response: ['Success'],
      chanvariable: ['A=1: x', 'B=ä'],
      empty: [''],
    })
    expect(next && amiField(next, 'Event')).toBe('Hangup')
    expect(next && amiField(next, 'Absent')).toBe('')
  })

  test('gives the same frames however the bytes are cut', () => {
    const value = fc.string({ unit: 'grapheme' }).map((s) => s.replaceAll(/[\r\n\0]/g, ''))
    const frames = fc.array(fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), value, { minKeys: 1 }))
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 20 })), (sent, cuts) => {
        const stream = Buffer.concat(sent.map((fields) => encodeAmiAction('X', fields)))
        const decoder = createAmiDecoder()
        const got = []
        let at = 0
        for (const cut of [...cuts, stream.length]) {
          got.push(...decoder.push(stream.subarray(at, at + cut)))
          at += cut
        }
        got.push(...decoder.push(stream.subarray(at)))
        expect(got.map((f) => Object.fromEntries(f))).toEqual(
          sent.map((fields) => ({
            action: ['X'],
            ...Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, [v]])),
          })),
        )
      }),
    )
  })

  test('refuses a frame beyond its limit, in one line or in many', () => {
    expect(() => createAmiDecoder(100).push(Buffer.alloc(101, 'x'))).toThrow('more than 100 bytes')
    const decoder = createAmiDecoder(100)
    expect(() => {
      for (let i = 0; i < 50; i++) decoder.push(bytes('Key: v\n'))
    }).toThrow('more than 100 bytes')
  })
})

test('a value cannot smuggle in a second action', () => {
  const hostile = '0301\r\nAction: Originate'
  expect(() => encodeAmiAction('Ping', { Number: hostile })).toThrow('not one line (Number)')
  expect(() => encodeAmiAction('Ping', { 'A: b\r\nC': 'x' })).toThrow('not one line')
  expect(encodeAmiAction('Ping', { V: ['1', '2'] }).toString()).toBe(
    'Action: Ping\r\nV: 1\r\nV: 2\r\n\r\n',
  )
})
