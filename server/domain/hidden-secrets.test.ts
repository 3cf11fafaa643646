import { expect, test } from 'vitest'
import { z } from 'zod'
import { hiddenSecret } from '#contracts/hidden-secret.ts'
import { PbxDocument } from '#contracts/pbx.ts'
import { PbxConnection } from '#contracts/service.ts'
import {
  HiddenSecretError,
  hideConnectionSecret,
  hideDocumentSecrets,
  restoreConnectionSecret,
  restoreDocumentSecrets,
} from '#server/domain/hidden-secrets.ts'

const document = PbxDocument.parse({
  name: 'pbx',
  users: [
    {
      uuid: '3f0f8a43-9d0f-4d7a-8a55-6a7f3d1f0201',
      extension_number: '201',
      name: 'Anna',
      secret: 'phone-secret-201',
      has_voicemail: true,
      voicemail_pin: '73519',
    },
  ],
  trunks: [{ name: 'carrier', host: '10.0.0.9', username: 'office', secret: 'carrier-secret' }],
  components: [
    {
      name: 'vip',
      webhook: {
        url: 'https://receiver.example/',
        secret_token: 'object-token',
        headers: [
          { name: 'X-Secret', value: 'header-secret', secret: true },
          { name: 'X-Open', value: 'seen' },
        ],
      },
      next: { type: 'hangup' },
    },
  ],
})

/** Paths of the properties of a JSON Schema whose names speak of a secret. */
function secretFields(schema: unknown, path = ''): string[] {
  if (typeof schema !== 'object' || schema === null) return []
  return Object.entries(schema).flatMap(([key, value]) => {
    const here = `${path}.${key}`
    const named = path.endsWith('.properties') && /secret|pin$|password|token/.test(key)
    return [
      ...(named ? [here.replaceAll(/\.(properties|items)/g, '')] : []),
      ...secretFields(value, here),
    ]
  })
}

test('every field of the document that holds a secret is hidden', () => {
  const schema = z.toJSONSchema(PbxDocument, {
    io: 'input',
    reused: 'inline',
    unrepresentable: 'any',
  })
  const names = new Set(secretFields(schema).map((path) => path.split('.').slice(-2).join('.')))
  expect([...names].toSorted()).toEqual([
    // Says that the value is one.
    'CustomHeader.secret',
    'PbxComponentWebhook.secret_token',
    'PbxTrunk.secret',
    'PbxUser.secret',
    'PbxUser.voicemail_pin',
  ])
  const hidden = hideDocumentSecrets(document)
  expect(hidden.users[0]).toMatchObject({ secret: hiddenSecret, voicemail_pin: hiddenSecret })
  expect(hidden.trunks[0]).toMatchObject({ secret: hiddenSecret })
  expect(hidden.components[0]?.webhook).toMatchObject({
    secret_token: hiddenSecret,
    headers: [{ value: hiddenSecret }, { value: 'seen' }],
  })
  expect(PbxDocument.parse(hidden)).toEqual(hidden)
})

test('what is hidden comes back whole; a mask of nothing is refused with its path', () => {
  expect(restoreDocumentSecrets(hideDocumentSecrets(document), document)).toEqual(document)
  const refused = () => restoreDocumentSecrets(hideDocumentSecrets(document), null)
  expect(refused).toThrow(HiddenSecretError)
  const renamed = hideDocumentSecrets(document)
  renamed.trunks = renamed.trunks.map((trunk) => ({ ...trunk, name: 'other' }))
  try {
    restoreDocumentSecrets(renamed, document)
    expect.unreachable()
  } catch (error) {
    expect(error).toMatchObject({ paths: [['trunks', 0, 'secret']] })
  }
})

test('the secrets of a component go to no other host than they were given for', () => {
  const masked = hideDocumentSecrets(document)
  const moved = {
    ...masked,
    components: masked.components.map((component) => ({
      ...component,
      webhook: component.webhook && { ...component.webhook, url: 'https://other.example/' },
    })),
  }
  expect(() => restoreDocumentSecrets(moved, document)).toThrow(
    expect.objectContaining({
      paths: [
        ['components', 0, 'webhook', 'secret_token'],
        ['components', 0, 'webhook', 'headers', 0, 'value'],
      ],
    }),
  )
})

test('the password of a trunk goes to no other carrier, and that of AMI to no other host', () => {
  const masked = hideDocumentSecrets(document)
  for (const change of [{ host: '10.0.0.10' }, { port: 5061 }]) {
    const moved = { ...masked, trunks: masked.trunks.map((trunk) => ({ ...trunk, ...change })) }
    expect(() => restoreDocumentSecrets(moved, document)).toThrow(
      expect.objectContaining({
        message: 'the stored secret was given for another address: send it again',
        paths: [['trunks', 0, 'secret']],
      }),
    )
  }
  const ami = { host: '10.0.0.1', username: 'offhook', secret: 'ami-secret' }
  const connection = PbxConnection.parse({ kind: 'asterisk_attached', cel_path: '/cel.csv', ami })
  const shown = hideConnectionSecret(connection)
  expect(restoreConnectionSecret(shown, connection)).toEqual(connection)
  if (shown.kind !== 'asterisk_attached' || shown.ami === null) throw new Error('it has no AMI')
  const moved = { ...shown, ami: { ...shown.ami, host: '10.0.0.2' } }
  expect(() => restoreConnectionSecret(moved, connection)).toThrow(HiddenSecretError)
})
