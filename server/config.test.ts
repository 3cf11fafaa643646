import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { projectFolder, readConfig, settings } from '#server/config.ts'

describe('readConfig', () => {
  test('an empty environment gives the defaults, with the database in the data folder', () => {
    const config = readConfig({ PATH: '/usr/bin', HOME: '/root' })
    expect(config).toMatchObject({ host: '127.0.0.1', port: 8420, demoPbx: true, logLevel: 'info' })
    expect(config.dataFolder).toBe(join(projectFolder, '.offhook'))
    expect(config.database).toBe(`sqlite:${join(projectFolder, '.offhook', 'offhook.db')}`)
  })

  test('paths become absolute, and a URL loses its last slash', () => {
    const config = readConfig({
      OFFHOOK_DATA: 'some/where',
      OFFHOOK_DATABASE: 'sqlite:else.db',
    })
    expect(config.dataFolder).toBe(resolve('some/where'))
    expect(config.database).toBe(`sqlite:${resolve('else.db')}`)
  })

  test('PostgreSQL: the key of the secrets is in the data folder, unless told', () => {
    const url = 'postgres://offhook:secret@db.example:5432/offhook'
    const config = readConfig({ OFFHOOK_DATABASE: url, OFFHOOK_DATA: '/srv/offhook' })
    expect(config).toMatchObject({ database: url, secretKeyFile: '/srv/offhook/secret.key' })
    const elsewhere = { OFFHOOK_DATABASE: url, OFFHOOK_SECRET_KEY_FILE: '/run/secrets/offhook' }
    expect(readConfig(elsewhere).secretKeyFile).toBe('/run/secrets/offhook')
  })

  test('a variable set to nothing counts as not set', () => {
    expect(readConfig({ OFFHOOK_PORT: '' }).port).toBe(8420)
  })

  test('all problems are told at once, an unknown setting with the nearest name', () => {
    const wrong = {
      OFFHOOK_PROT: '8080',
      OFFHOOK_PORT: '80a',
      OFFHOOK_RETENTION_DAYS: '0',
      OFFHOOK_DEMO_PBX: 'yes',
      OFFHOOK_ZZZZZZZZZZ: '1',
    }
    expect(() => readConfig(wrong)).toThrow(
      expect.objectContaining({
        code: 'settings',
        message: expect.stringMatching(
          /OFFHOOK_PROT: there is no such setting; did you mean OFFHOOK_PORT\?.*OFFHOOK_ZZZZZZZZZZ: there is no such setting;.*OFFHOOK_PORT: must be a whole number.*OFFHOOK_DEMO_PBX: must be on or off.*OFFHOOK_RETENTION_DAYS: /s,
        ),
      }),
    )
  })

  test.each([
    ['OFFHOOK_PORT', '65536'],
    ['OFFHOOK_PORT', '-1'],
    ['OFFHOOK_DATABASE', 'mysql://localhost'],
    ['OFFHOOK_DATABASE', 'sqlite:'],
    ['OFFHOOK_DATABASE', 'postgres://'],
    ['OFFHOOK_LOG_LEVEL', 'loud'],
  ])('%s=%s is refused', (name, value) => {
    expect(() => readConfig({ [name]: value })).toThrow(name)
  })

  test('addresses are read as blocks, and one that is none is told', () => {
    const { allowAddresses, denyAddresses } = readConfig({
      OFFHOOK_ALLOW_ADDRESSES: '127.0.0.1, 10.0.0.0/8 ::1',
    })
    expect(allowAddresses.map(({ bits }) => bits)).toEqual([32, 8, 128])
    expect(denyAddresses).toEqual([])
    expect(() => readConfig({ OFFHOOK_ALLOW_ADDRESSES: '10.1.2.3/8' })).toThrow(
      'OFFHOOK_ALLOW_ADDRESSES: 10.1.2.3/8 is no block of addresses; did you mean 10.0.0.0/8?',
    )
    expect(() => readConfig({ OFFHOOK_PROXY: 'socks5://proxy:1080' })).toThrow(
      'OFFHOOK_PROXY: must be an http:// or https:// address',
    )
  })

  test('every setting has a name of its own', () => {
    const names = Object.values(settings).map((s) => s.env)
    expect(new Set(names).size).toBe(names.length)
    for (const name of names) expect(name).toMatch(/^OFFHOOK_[A-Z_]+$/)
  })
})
