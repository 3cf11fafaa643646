/** Puts the IVR and its virtual extension into the PBX, makes the webhook, and prints its secret for the app. */
const { API, API_KEY, SERVICE, IVR = 'nps', EXTENSION = '650', PORT = '9300' } = process.env
if (!API || !API_KEY) stop('API (http://127.0.0.1:8420) and API_KEY must be set.')

async function ask(path, method = 'GET', body, ifMatch) {
  const answer = await fetch(`${API}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${API_KEY}`,
      'content-type': 'application/json',
      ...(ifMatch && { 'if-match': ifMatch }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  const text = await answer.text()
  if (!answer.ok) stop(`${method} ${path} answered ${answer.status}: ${text}`)
  return { ...JSON.parse(text), etag: answer.headers.get('etag') }
}

async function serviceUuid() {
  if (SERVICE) return SERVICE
  const { items } = await ask('/services')
  if (items.length === 1) return items[0].uuid
  const names = items.map(({ uuid, friendly_name }) => `${uuid} ${friendly_name}`)
  return stop(['SERVICE must be the UUID of the PBX, one of:', ...names].join('\n'))
}

const uuid = await serviceUuid()
// Secrets are masked in what is read, and stay as they are when the mask comes back.
const { etag, ...pbx } = await ask(`/services/${uuid}/pbx`)
if (!pbx.ivrs.some(({ name }) => name === IVR)) {
  const scores = Array.from({ length: 11 }, (_, score) => [String(score), { type: 'hangup' }])
  const document = {
    ...pbx,
    ivrs: [...pbx.ivrs, { name: IVR, greeting: 'beep', options: Object.fromEntries(scores) }],
    virtual_extensions: [
      ...pbx.virtual_extensions,
      { extension: EXTENSION, destination: { type: 'ivr', name: IVR } },
    ],
  }
  // Refused where somebody has changed the document since it was read: theirs would be lost.
  await ask(`/services/${uuid}/pbx`, 'PUT', document, etag)
}
const url = `http://127.0.0.1:${PORT}/`
const { items: webhooks } = await ask(`/webhooks?service_uuid=${uuid}&limit=100`)
const before = webhooks.find((webhook) => webhook.url === url)
// A secret is shown once: whoever comes again gets a new one.
const { secret } = before
  ? await ask(`/webhooks/${before.id}/rotate-secret`, 'POST', { overlap_seconds: 0 })
  : await ask('/webhooks', 'POST', {
      name: 'NPS',
      url,
      service_uuid: uuid,
      triggers: ['ivr.option_selected', 'call.ended'],
      // Days: an event that was given up would be missing.
      retries: 50,
    })
console.log(secret)

function stop(why) {
  console.error(why)
  process.exit(1)
}
