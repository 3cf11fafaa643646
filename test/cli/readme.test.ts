import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { eventSamples } from '#contracts/events/samples.ts'
import { commands } from '#server/cli/commands.ts'
import { projectFolder } from '#server/config.ts'
import { waitUntil } from '#test/support/wait-until.ts'
import { temporaryFolder } from './run-offhook.ts'

const readme = await readFile(join(projectFolder, 'README.md'), 'utf8')

test('the receiver in the README takes a signed request and refuses a forged one', async () => {
  await using folder = await temporaryFolder()
  const [, code = ''] = /```js\n(.*?)```/s.exec(readme) ?? []
  const listen = ".listen(9000, '127.0.0.1'"
  expect(code).toContain(listen)
  const anyPort = code.replace(
    listen,
    ".listen(0, '127.0.0.1', function () { console.log(this.address().port) }",
  )
  await writeFile(join(folder.path, 'receiver.mjs'), anyPort)
  await symlink(join(projectFolder, 'node_modules'), join(folder.path, 'node_modules'))
  const secret = `whsec_${Buffer.alloc(24, 1).toString('base64')}`
  const receiver = spawn(process.execPath, ['receiver.mjs'], {
    cwd: folder.path,
    env: { PATH: process.env.PATH, SECRET: secret },
  })
  const exit = once(receiver, 'exit')
  try {
    let printed = ''
    receiver.stdout.on('data', (chunk) => {
      printed += chunk
    })
    const [port] = await waitUntil(() => /\d+\n/.exec(printed), { what: 'the receiver listens' })
    const body = JSON.stringify(eventSamples['call.inbound.answered'])
    const at = new Date()
    const url = `http://127.0.0.1:${port.trim()}/`
    const large = 'x'.repeat(1024 * 1024 + 1)
    expect((await fetch(url, { method: 'POST', body: large })).status).toBe(413)
    const send = async (signature: string) => {
      const headers = {
        'webhook-id': 'evt_1',
        'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
        'webhook-signature': signature,
      }
      return (await fetch(url, { method: 'POST', headers, body })).status
    }
    expect(await send(new Webhook(secret).sign('evt_1', at, body))).toBe(204)
    expect(await send(`v1,${Buffer.alloc(32).toString('base64')}`)).toBe(401)
    await waitUntil(() => printed.includes('call.inbound.answered'), { what: 'it told the event' })
  } finally {
    receiver.kill()
    await exit
  }
})

test('every command and every file that the README names is there', async () => {
  const { scripts } = JSON.parse(await readFile(join(projectFolder, 'package.json'), 'utf8'))
  for (const [, name = ''] of readme.matchAll(/^npm (?:run (?:-s )?)?(\w+) /gm)) {
    expect(scripts).toHaveProperty(name)
  }
  for (const [, name = ''] of readme.matchAll(/npm run -s offhook -- (\w+)/g)) {
    expect(commands).toHaveProperty(name)
  }
  for (const [, path = ''] of readme.matchAll(/\]\((?!http)([^)]+)\)/g)) {
    await readFile(join(projectFolder, path)).catch((error: NodeJS.ErrnoException) => {
      // A folder is there, too.
      expect(error.code, path).toBe('EISDIR')
    })
  }
})
