import { expect, test } from 'vitest'
import { audioLink, checkAudioLink } from '#server/domain/audio-link.ts'

const key = Buffer.alloc(32, 1)
const links = { publicUrl: 'https://pbx.example.com/offhook', key, ttlMs: 60_000 }
const event = 'evt_01KANZ6Q0MB4XWJ5T2CH8RD001'

function partsOf(link: string) {
  const { searchParams } = new URL(link)
  return {
    eventId: event,
    expires: Number(searchParams.get('expires')),
    signature: searchParams.get('signature') ?? '',
  }
}

test('the same event has the same link, which ends a time after it', () => {
  const link = audioLink(links, event, 1_000_500.25)
  expect(link).toBe(audioLink(links, event, 1_000_500.25))
  expect(link).toMatch(
    /^https:\/\/pbx\.example\.com\/offhook\/api\/v1\/recordings\/evt_01KANZ6Q0MB4XWJ5T2CH8RD001\/public\?expires=1061&signature=[\w-]{43}$/,
  )
  const parts = partsOf(link)
  expect(checkAudioLink(key, parts, 1_060_999)).toBe('valid')
  expect(checkAudioLink(key, parts, 1_061_000)).toBe('expired')
})

test('a longer time, another event, another key or half a signature open nothing', () => {
  const parts = partsOf(audioLink(links, event, 0))
  const wrong = [
    { ...parts, expires: parts.expires + 1 },
    { ...parts, eventId: event.replace('001', '002') },
    { ...parts, signature: parts.signature.slice(0, 22) },
    { ...parts, signature: `${parts.signature}AAAA` },
    { ...parts, signature: '' },
  ]
  for (const link of wrong) expect(checkAudioLink(key, link, 1)).toBe('wrong')
  expect(checkAudioLink(Buffer.alloc(32, 2), parts, 1)).toBe('wrong')
  // Whoever cannot sign learns nothing of the time either.
  expect(checkAudioLink(key, { ...parts, expires: 1, signature: 'x' }, 5_000)).toBe('wrong')
})
