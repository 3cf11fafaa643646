/** Secrets of objects that are shown and sent back: hidden on the way out, put in again on the way in. */
import { hiddenSecret } from '#contracts/hidden-secret.ts'
import type { PbxDocument } from '#contracts/pbx.ts'
import type { PbxConnection } from '#contracts/service.ts'
import type { Connector } from '#contracts/webhook/connector.ts'
import type { RequestSettings } from '#contracts/webhook/request.ts'

type Path = readonly (string | number)[]

/** A secret was not given where none is stored, or one that goes to another address. */
export class HiddenSecretError extends Error {
  readonly paths: readonly Path[]

  /** `elsewhere`: all of them are stored, for other addresses. */
  constructor(paths: readonly Path[], elsewhere: boolean) {
    super(
      elsewhere
        ? 'the stored secret was given for another address: send it again'
        : `${hiddenSecret} stands for a stored secret, and there is none: send the secret itself`,
    )
    this.paths = paths
    this.name = 'HiddenSecretError'
  }
}

/**
 * `owner` stays the same when the object is moved or renamed within what holds it. `to`: the addresses that learn the secret, get
 * what it opens (a token), or what it can be guessed from (an MD5 of it); null: none does.
 */
type Change = (secret: string, path: Path, owner: string, to: string | null) => string

const originOf = (url: string) => new URL(url).origin

function changeDocument(document: PbxDocument, change: Change): PbxDocument {
  const changed = (secret: string | null, path: Path, owner: string, to: string | null = null) =>
    secret === null ? null : change(secret, path, owner, to)
  return {
    ...document,
    users: document.users.map((user, i) => ({
      ...user,
      secret: changed(user.secret, ['users', i, 'secret'], `user ${user.uuid} secret`),
      voicemail_pin: changed(
        user.voicemail_pin,
        ['users', i, 'voicemail_pin'],
        `user ${user.uuid} pin`,
      ),
    })),
    components: document.components.map((component, i) => {
      const { name, webhook } = component
      if (webhook === null) return component
      const path = ['components', i, 'webhook']
      const owner = `component ${name}`
      const to = originOf(webhook.url)
      const { secret_token: token } = webhook
      return {
        ...component,
        webhook: {
          ...webhook,
          secret_token:
            token === null ? null : change(token, [...path, 'secret_token'], `${owner} token`, to),
          headers: changeHeaders(webhook.headers, change, { to, path, owner: `${owner} ` }),
        },
      }
    }),
    trunks: document.trunks.map((trunk, i) => ({
      ...trunk,
      secret: changed(
        trunk.secret,
        ['trunks', i, 'secret'],
        `trunk ${trunk.name} secret`,
        `${trunk.host}:${trunk.port}`,
      ),
    })),
  }
}

/** Changes the secret of a connection, where it has one. */
export function changeConnection(connection: PbxConnection, change: Change): PbxConnection {
  if (connection.kind !== 'asterisk_attached' || connection.ami === null) return connection
  const { host, port } = connection.ami
  const to = `${host}:${port}`
  const secret = change(connection.ami.secret, ['connection', 'ami', 'secret'], 'ami', to)
  return { ...connection, ami: { ...connection.ami, secret } }
}

type SecretParts = Pick<RequestSettings, 'authentication' | 'headers' | 'connector'>

/** Changes the secrets of a webhook's request. `url`: of the webhook; null: where they go makes no difference. */
export function changeRequest<R extends SecretParts>(
  request: R,
  url: string | null,
  change: Change,
): R {
  const to = url === null ? null : originOf(url)
  return {
    ...request,
    connector: request.connector === null ? null : changeConnector(request.connector, to, change),
    authentication: changeAuthentication(request.authentication, to, change),
    headers: changeHeaders(request.headers, change, { to, path: [], owner: '' }),
  }
}

/** Changes the values of secret headers; `path` and `owner`: of what has them. */
function changeHeaders(
  headers: RequestSettings['headers'],
  change: Change,
  { to, path, owner }: { readonly to: string | null; readonly path: Path; readonly owner: string },
): RequestSettings['headers'] {
  return headers.map((header, i) => {
    if (!header.secret) return header
    const at = [...path, 'headers', i, 'value']
    const value = change(header.value, at, `${owner}header ${header.name.toLowerCase()}`, to)
    return { ...header, value }
  })
}

function changeConnector(connector: Connector, to: string | null, change: Change): Connector {
  const { login } = connector
  const changed = (name: string, secret: string) =>
    change(
      secret,
      ['connector', 'login', name],
      `connector ${connector.type} ${login.type} ${name}`,
      to,
    )
  switch (login.type) {
    case 'client_credentials': {
      const client_secret = changed('client_secret', login.client_secret)
      return { ...connector, login: { ...login, client_secret } }
    }
    case 'jwt_bearer': {
      const private_key = changed('private_key', login.private_key)
      return { ...connector, login: { ...login, private_key } }
    }
  }
}

function changeAuthentication(
  authentication: RequestSettings['authentication'],
  to: string | null,
  change: Change,
): RequestSettings['authentication'] {
  const changed = (name: string, secret: string, sentTo = to) =>
    change(
      secret,
      ['authentication', name],
      `authentication ${authentication.type} ${name}`,
      sentTo,
    )
  switch (authentication.type) {
    case 'none':
      return authentication
    case 'basic':
      return { ...authentication, password: changed('password', authentication.password) }
    case 'oauth2': {
      const { token_url } = authentication
      // The receiver gets a token that was made with it.
      const both = to === null ? null : `${originOf(token_url)} ${to}`
      const client_secret = changed('client_secret', authentication.client_secret, both)
      return { ...authentication, client_secret }
    }
    default:
      return { ...authentication, token: changed('token', authentication.token) }
  }
}

const hide = (): string => hiddenSecret

export const hideDocumentSecrets = (document: PbxDocument) => changeDocument(document, hide)
export const hideConnectionSecret = (connection: PbxConnection) =>
  changeConnection(connection, hide)

/** `change` of `T`, with the secrets of `stored` where it has masks. Throws HiddenSecretError. */
function restore<T>(apply: (object: T, change: Change) => T, given: T, stored: T | null): T {
  const known = new Map<string, string>()
  const owners = new Set<string>()
  // Whoever may change a webhook may not read its secrets: sent elsewhere, they would be read there.
  const key = (owner: string, to: string | null) => `${owner} ${to}`
  if (stored !== null) {
    apply(stored, (secret, _path, owner, to) => {
      known.set(key(owner, to), secret)
      owners.add(owner)
      return secret
    })
  }
  const unknown: Path[] = []
  let elsewhere = true
  const restored = apply(given, (secret, path, owner, to) => {
    if (secret !== hiddenSecret) return secret
    const before = known.get(key(owner, to))
    if (before === undefined) {
      unknown.push(path)
      elsewhere &&= owners.has(owner)
    }
    return before ?? secret
  })
  if (unknown.length > 0) throw new HiddenSecretError(unknown, elsewhere)
  return restored
}

/** The document with the stored secrets where it has masks; users are told by UUID, trunks by name. */
export const restoreDocumentSecrets = (given: PbxDocument, stored: PbxDocument | null) =>
  restore(changeDocument, given, stored)

export const hideRequestSecrets = <R extends SecretParts>(request: R) =>
  changeRequest(request, null, hide)

interface RequestTo {
  readonly url: string
  readonly request: RequestSettings
}

export const restoreRequestSecrets = (
  given: RequestTo,
  stored: RequestTo | null,
): RequestSettings =>
  restore<RequestTo>(
    ({ url, request }, change) => ({ url, request: changeRequest(request, url, change) }),
    given,
    stored,
  ).request

export const restoreConnectionSecret = (given: PbxConnection, stored: PbxConnection | null) =>
  restore(changeConnection, given, stored)
