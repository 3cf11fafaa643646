import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { startAmiClient } from '#server/pbx/asterisk/ami-client.ts'
import { openAsteriskPbx } from '#server/pbx/asterisk/asterisk-pbx.ts'
import { findAsterisk } from '#server/pbx/asterisk/find-asterisk.ts'
import { instanceFolder, managerSecret } from '#server/pbx/asterisk/instance-folder.ts'
import type { ManagedPbx } from '#server/pbx/pbx.ts'
import { demoSettings, messagesOf, temporaryFolder } from '#test/asterisk/pbx/demo.ts'

describe('a PBX made from the demo document', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  let settings: Awaited<ReturnType<typeof demoSettings>>
  let pbx: ManagedPbx
  let openedAt = 0

  beforeAll(async () => {
    folder = await temporaryFolder()
    settings = await demoSettings(folder.path)
    openedAt = Date.now()
    pbx = await openAsteriskPbx(settings.pbx)
  })
  afterAll(async () => {
    await pbx.close()
    await folder[Symbol.asyncDispose]()
  })

  /** A client of the manager interface that ends with the test; `first` is the first thing that it is told. */
  async function client(secret: string) {
    const stop = new AbortController()
    let tell: (what: string | { bootedAt: number | null }) => void = () => {}
    const first = new Promise<string | { bootedAt: number | null }>((resolve) => {
      tell = resolve
    })
    const ami = startAmiClient({
      host: '127.0.0.1',
      port: settings.pbx.amiPort,
      username: 'offhook',
      secret,
      onEvent: () => {},
      onUp: tell,
      onDown: tell,
      signal: stop.signal,
    })
    return {
      ami,
      first,
      async [Symbol.asyncDispose]() {
        stop.abort()
        await ami.closed
      },
    }
  }

  test('boots without a complaint about its configuration', async () => {
    const log = await messagesOf(folder.path)
    expect(log.split('\n').filter((line) => /ERROR|WARNING/.test(line))).toEqual([])
  })

  test('tells when it booted, and that no channels exist', async () => {
    await using c = await client(await managerSecret(instanceFolder(settings.pbx.folder)))
    const up = await c.first
    expect(up).toHaveProperty('bootedAt')
    const { bootedAt } = up as { bootedAt: number }
    expect(Math.abs(bootedAt - openedAt)).toBeLessThan(5000)
    expect(await pbx.listChannels()).toEqual(new Set())
  })

  test('refuses a wrong secret', async () => {
    await using c = await client('wrong')
    expect(await c.first).toBe('login refused')
  })

  test('its account may do what Offhook needs, and not more', async () => {
    await using c = await client(await managerSecret(instanceFolder(settings.pbx.folder)))
    await c.first
    await expect(c.ami.action('Command', { Command: 'core show version' })).rejects.toMatchObject({
      code: 'refused',
    })
    await expect(c.ami.action('Setvar', { Variable: 'X', Value: '1' })).rejects.toMatchObject({
      code: 'refused',
    })
    const names = (await c.ami.list('PJSIPShowEndpoints')).map((e) => e.get('objectname')?.[0])
    expect(new Set(names)).toEqual(new Set(['201', '202', '203', '204', 'trunk', 'deadtrunk']))
  })
})

describe('what keeps a PBX from starting is one clear sentence', () => {
  test('the manager port is taken', async () => {
    await using folder = await temporaryFolder()
    const { pbx } = await demoSettings(folder.path)
    const server = createServer().listen(pbx.amiPort, '127.0.0.1')
    await once(server, 'listening')
    await expect(openAsteriskPbx(pbx)).rejects.toMatchObject({
      code: 'port_in_use',
      message: `The port ${pbx.amiPort} (PBX manager, TCP) is in use.`,
    })
    server.close()
  })

  test('the SIP port is taken', async () => {
    await using folder = await temporaryFolder()
    const { pbx } = await demoSettings(folder.path)
    const socket = createSocket('udp4').bind(pbx.sip.port, pbx.sip.host)
    await once(socket, 'listening')
    await expect(openAsteriskPbx(pbx)).rejects.toMatchObject({
      code: 'port_in_use',
      message: `The port ${pbx.sip.port} (SIP, UDP) is in use.`,
    })
    socket.close()
  })

  test('the folder cannot be one', async () => {
    await using folder = await temporaryFolder()
    const { pbx } = await demoSettings(folder.path)
    await writeFile(join(folder.path, 'pbx'), 'a file')
    await expect(openAsteriskPbx(pbx)).rejects.toMatchObject({ code: 'folder_unwritable' })
  })

  test('the program does not run', async () => {
    await using folder = await temporaryFolder()
    const { pbx } = await demoSettings(folder.path)
    const broken = { ...pbx, asterisk: { ...pbx.asterisk, command: ['false'] } }
    await expect(openAsteriskPbx(broken)).rejects.toMatchObject({ code: 'start_failed' })
  })
})

test('the tree that the setup got is found again at once', async () => {
  const found = await findAsterisk({ root: inject('asteriskRoot'), searchPath: '' })
  expect(Number.parseInt(found.version, 10)).toBeGreaterThanOrEqual(20)
})
