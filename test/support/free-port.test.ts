import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { projectFolder } from '#server/config.ts'
import { freeTcpPort, freeUdpPort } from '#test/support/free-port.ts'

test('no port is given twice, nor one that the system gives away itself', async () => {
  const ports: number[] = []
  for (let i = 0; i < 120; i += 1) ports.push(await freeTcpPort(), await freeUdpPort())
  expect(new Set(ports).size).toBe(ports.length)
  expect(Math.max(...ports)).toBeLessThan(20_000)
})

test('another process is given others', async () => {
  const ours = [await freeTcpPort(), await freeTcpPort()]
  const code = `import { freeTcpPort } from '#test/support/free-port.ts'
    console.log(await freeTcpPort(), await freeTcpPort())`
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '--eval', code],
    { cwd: projectFolder },
  )
  const theirs = stdout.trim().split(' ').map(Number)
  const block = (port: number) => Math.floor(port / 100)
  expect(theirs.length).toBe(2)
  expect(theirs.map(block)).not.toContain(block(ours[0] ?? 0))
})
