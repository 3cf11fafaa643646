import { describe, expect, test } from 'vitest'
import { searchedNumber } from '#server/domain/salesforce/phone-search.ts'
import { likenessOf } from '#server/domain/salesforce/same-number.ts'

const likeness = (e164: string | null, raw: string | null, phone: string) => {
  const number = searchedNumber(e164, raw)
  return number === null ? 'not looked up' : likenessOf([phone], number)
}

describe('too few digits: nobody is looked up', () => {
  test.each([
    [null, '00000000'],
    [null, '00000001'],
    [null, '0000123456'],
    [null, '201'],
    [null, ''],
    [null, 'alice12345678'],
    ['+61131114', '131114'],
  ])('%s, %s', (e164, raw) => {
    expect(searchedNumber(e164, raw)).toBeNull()
  })
})

describe('a number in E.164', () => {
  test.each([
    '+61288881234',
    '61288881234',
    '0288881234',
    '288881234',
    '(02) 8888 1234',
    '02.88.88.12.34',
    '+61 (0)2 8888 1234',
    '0061288881234',
    '0011 61 2 8888 1234',
    '02 8888 1234 ext. 12',
    '02 8888 1234 (work)',
    '0288881234 / 0491570156',
    '0491570156/0288881234',
    '0491 570 156; 02 8888 1234',
    '0491 570 156, 02 8888 1234',
    '0491 570 156 or 02 8888 1234',
    '0491 570 156 OR +61 2 8888 1234',
  ])('is %s', (phone) => {
    expect(likeness('+61288881234', null, phone)).toBe('same')
  })

  test.each([
    '+61388881234',
    '0388881234',
    '+6128888123',
    '+1 288881234',
    '18881234',
    '1288881234',
    '0061388881234',
    '+61388881234 / 0491570156',
    '1234',
    '881234',
    'none',
    '',
  ])('is not %s', (phone) => {
    expect(likeness('+61288881234', null, phone)).toBe('other')
  })

  test.each([
    ['+12125550123', '555-0123'],
    ['+13105550123', '555-0123'],
    ['+61288881234', '8888 1234'],
    ['+61288881234', '8888 1234 / 0491570156'],
    ['+61288881234', '0491570156 or 88881234'],
    ['+493088881234', '88881234'],
  ])('%s is perhaps %s, which lacks the area', (e164, phone) => {
    expect(likeness(e164, null, phone)).toBe('possible')
  })

  test('a slash behind an area code parts no numbers', () => {
    expect(likeness('+493012345678', null, '030/12345678')).toBe('same')
    expect(likeness('+494012345678', null, '030/12345678')).toBe('other')
    expect(likeness('+491711234567', null, '030/12345678 or 0171/1234567')).toBe('same')
  })

  test('of no country it is told by its digits', () => {
    expect(likeness('+80012345678', null, '+800 1234 5678')).toBe('same')
    expect(likeness('+80012345678', null, '80012345678')).toBe('same')
    expect(likeness('+80012345678', null, '12345678')).toBe('possible')
  })

  test('where a leading zero belongs to the number it stays', () => {
    expect(likeness('+390288881234', null, '02 8888 1234')).toBe('same')
    expect(likeness('+390288881234', null, '0288881234')).toBe('same')
    expect(likeness('+390288881234', null, '0388881234')).toBe('other')
  })
})

describe('a number of which the country is not known', () => {
  test.each([
    ['0288881234', '(02) 8888-1234'],
    ['0288881234', '288881234'],
    ['0288881234', '+61 2 8888 1234'],
    ['0288881234', '0061288881234'],
    ['0288881234', '0491570156 / 02 8888 1234'],
    ['61288881234', '+61 2 8888 1234'],
    ['2125550123', '+1 (212) 555-0123'],
  ])('%s is %s', (raw, phone) => {
    expect(likeness(null, raw, phone)).toBe('same')
  })

  test.each([
    ['0312345678', '+81 90 3123 45678'],
    ['0312345678', '9031 2345678'],
    ['0131114000', '98 131114000'],
    ['0288881234', '01234'],
    ['0288881234', '08881234'],
  ])('%s is not %s', (raw, phone) => {
    expect(likeness(null, raw, phone)).toBe('other')
  })

  test.each([
    ['0288881234', '8888 1234'],
    ['88881234', '02 8888 1234'],
    ['5550123', '+1 212 555 0123'],
  ])('%s is perhaps %s: one of them lacks the area', (raw, phone) => {
    expect(likeness(null, raw, phone)).toBe('possible')
  })
})
