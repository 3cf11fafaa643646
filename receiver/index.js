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
export async function verify(body, headers, secret, options = {}) {
  const { toleranceSeconds = defaultToleranceSeconds, now = Date.now() } = options
  const bytes = bytesOf(body)
  const id = headerOf(headers, 'webhook-id')
  const timestamp = headerOf(headers, 'webhook-timestamp')
  const signatures = headerOf(headers, 'webhook-signature')
  checkTime(timestamp, toleranceSeconds, now)

  const prefix = encoder.encode(`${id}.${timestamp}.`)
  const signed = new Uint8Array(prefix.length + bytes.length)
  signed.set(prefix)
  signed.set(bytes, prefix.length)
  const given = signatures.split(' ').flatMap(hmacOf)
  for (const one of [secret].flat()) {
    const key = await keyOf(one)
    for (const signature of given) {
      // Compares in constant time.
      if (await crypto.subtle.verify('HMAC', key, signature, signed)) return parse(bytes)
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

/** `headers`: a Headers object, or names in lower case with values, as Node has them. */
function headerOf(headers, name) {
  const value = typeof headers.get === 'function' ? headers.get(name) : headers[name]
  const text = Array.isArray(value) ? value.join(' ') : value
  if (typeof text !== 'string' || text === '') {
    throw new VerificationError('missing_header', `The header ${name} is missing.`)
  }
  return text
}

function checkTime(timestamp, toleranceSeconds, now) {
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

/** Null: the text is none. */
function fromBase64(text) {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
  } catch {
    return null
  }
}

async function keyOf(secret) {
  const text = typeof secret === 'string' && secret.startsWith('whsec_') ? secret.slice(6) : null
  const bytes = text === null ? null : fromBase64(text)
  // The message must not show it.
  if (bytes === null) throw new TypeError('A secret must be whsec_ followed by base64.')
  return await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, [
    'verify',
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
  if (!(await store.begin(id))) return { first: false }
  let result
  try {
    result = await work()
  } catch (error) {
    await store.failed(id)
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
