/**
 * Receives webhooks of Offhook. Plain JavaScript by the standards of the web (WebCrypto, no imports), so that the same
 * file runs in Node 20 and newer, Deno, Bun, workers and browsers without a build; `index.d.ts` has the types.
 */

/** Why a request is not one of Offhook's, or not a fresh one; `code` is for programs. */
export class VerificationError extends Error {
  constructor(code, message) {
    super(message)
    this.name = 'VerificationError'
    this.code = code
  }
}

const defaultToleranceSeconds = 5 * 60
const encoder = new TextEncoder()

/** See index.d.ts. */
export async function verify(body, headers, secret, options) {
  await verifySignature(body, headers, secret, options)
  return parse(bytesOf(body))
}

/** See index.d.ts. */
export async function verifySignature(body, headers, secret, options = {}) {
  const { toleranceSeconds = defaultToleranceSeconds, now = Date.now() } = options
  const bytes = bytesOf(body)
  const keys = await Promise.all(secretsOf(secret).map(keyOf))
  const id = headerOf(headers, 'webhook-id')
  const timestamp = headerOf(headers, 'webhook-timestamp')
  const signatures = headerOf(headers, 'webhook-signature')
  checkTime(timestamp, toleranceSeconds, now)

  const prefix = encoder.encode(`${id}.${timestamp}.`)
  const signed = new Uint8Array(prefix.length + bytes.length)
  signed.set(prefix)
  signed.set(bytes, prefix.length)
  const given = signatures.split(' ').flatMap(hmacOf)
  for (const key of keys) {
    // Once for each secret, not for each signature: a stranger chooses how many of those there are.
    const expected = new Uint8Array(await crypto.subtle.sign('HMAC', key, signed))
    if (given.some((signature) => isSame(signature, expected))) {
      return { id, sentAt: new Date(Number(timestamp) * 1000) }
    }
  }
  throw new VerificationError(
    'no_match',
    'No signature matches: another secret, or the body was changed on its way (pass it as it came, not parsed and written again).',
  )
}

function bytesOf(body) {
  if (typeof body === 'string') return encoder.encode(body)
  if (body instanceof Uint8Array) return body
  if (body instanceof ArrayBuffer) return new Uint8Array(body)
  throw new TypeError(
    'The body must be as it came: text, Uint8Array or ArrayBuffer, not parsed JSON.',
  )
}

/** `headers`: a Headers object, or an object of names and values, as Node and others have them. */
function headerOf(headers, name) {
  if (typeof headers !== 'object' || headers === null) {
    throw new TypeError('The headers must be a Headers object, or an object of names and values.')
  }
  const value =
    typeof headers.get === 'function'
      ? headers.get(name)
      : // Node has the names in lower case; Lambda, for one, as they came.
        (headers[name] ??
        Object.entries(headers).find(([other]) => other.toLowerCase() === name)?.[1])
  const text = Array.isArray(value) ? value.join(' ') : value
  if (typeof text !== 'string' || text === '') {
    throw new VerificationError('missing_header', `The header ${name} is missing.`)
  }
  return text
}

function checkTime(timestamp, toleranceSeconds, now) {
  // NaN, from a setting that is not there, would let every request through, however old.
  if (typeof toleranceSeconds !== 'number' || !(toleranceSeconds >= 0)) {
    throw new TypeError('toleranceSeconds must be a number of seconds, 0 or more.')
  }
  if (!Number.isFinite(now)) throw new TypeError('now must be a number of milliseconds since 1970.')
  if (!/^\d{1,12}$/.test(timestamp)) {
    throw new VerificationError('bad_timestamp', 'webhook-timestamp must be seconds since 1970.')
  }
  const age = Math.floor(now / 1000) - Number(timestamp)
  if (age > toleranceSeconds) {
    throw new VerificationError('too_old', `The request was made ${age} s ago.`)
  }
  if (age < -toleranceSeconds) {
    throw new VerificationError(
      'too_new',
      `The request is from ${-age} s ahead: compare the clocks.`,
    )
  }
}

/** The bytes of a `v1` entry of the list; nothing for those of other versions and such as are none. */
function hmacOf(entry) {
  if (!entry.startsWith('v1,')) return []
  const bytes = fromBase64(entry.slice(3))
  return bytes === null ? [] : [bytes]
}

/** In constant time, so that nobody learns from it how much of a guess was right. */
function isSame(given, expected) {
  if (given.length !== expected.length) return false
  let difference = 0
  for (let index = 0; index < expected.length; index += 1) {
    difference |= given[index] ^ expected[index]
  }
  return difference === 0
}

/** Null: the text is none. */
function fromBase64(text) {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
  } catch {
    return null
  }
}

function secretsOf(secret) {
  const secrets = [secret].flat()
  if (secrets.length === 0) throw new TypeError('There must be a secret.')
  return secrets
}

async function keyOf(secret) {
  const text = typeof secret === 'string' && secret.startsWith('whsec_') ? secret.slice(6) : ''
  const bytes = fromBase64(text)
  // The message must not show it.
  if (bytes === null || bytes.length === 0) {
    throw new TypeError('A secret must be whsec_ followed by base64.')
  }
  if (globalThis.crypto?.subtle === undefined) {
    throw new TypeError('There is no WebCrypto here; a page has it over https and on localhost.')
  }
  return await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, [
    'sign',
  ])
}

function parse(bytes) {
  const text = new TextDecoder().decode(bytes)
  if (text === '') return null
  try {
    return JSON.parse(text)
  } catch {
    throw new VerificationError('not_json', 'The signature is right, but the body is no JSON.')
  }
}

/** See index.d.ts. */
export async function once(store, id, work) {
  // All events without one would be the same event, and all but the first be lost.
  if (typeof id !== 'string' || id === '') {
    throw new TypeError('The id must be that of the event, or the header webhook-id.')
  }
  if (!(await store.begin(id))) return { first: false }
  let result
  try {
    result = await work()
  } catch (error) {
    // That of the work is the one to tell.
    await store.failed(id).catch(() => {})
    throw error
  }
  await store.done(id)
  return { first: true, result }
}

/** See index.d.ts. */
export function memoryStore({
  most = 10_000,
  keepMs = 3 * 24 * 60 * 60 * 1000,
  now = Date.now,
} = {}) {
  /** Ids whose work is under way → resolves when it ends, whichever way. */
  const underWay = new Map()
  /** Ids whose work is done → when it was, oldest first. */
  const done = new Map()

  function forget() {
    for (const [id, at] of done) {
      if (done.size <= most && now() - at < keepMs) return
      done.delete(id)
    }
  }
  function end(id) {
    underWay.get(id)?.resolve()
    underWay.delete(id)
  }
  return {
    async begin(id) {
      while (underWay.has(id)) await underWay.get(id).promise
      forget()
      if (done.has(id)) return false
      let resolve
      const promise = new Promise((ended) => {
        resolve = ended
      })
      underWay.set(id, { promise, resolve })
      return true
    },
    async done(id) {
      done.set(id, now())
      end(id)
      forget()
    },
    async failed(id) {
      end(id)
    },
  }
}
