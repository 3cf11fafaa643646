import { defineConfig } from 'vitest/config'

// Three projects: `unit` is pure or needs only files and loopback sockets; `postgres` starts a PostgreSQL for its files,
// which are named *.postgres.test.ts; `asterisk` boots real PBXs. Its files run three
// at a time, for calls mostly wait, and after the unit tests, whose load would make phones late.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'contracts/**/*.test.ts',
            'server/**/*.test.ts',
            'test/traces/**/*.test.ts',
            'test/support/**/*.test.ts',
            'scripts/**/*.test.ts',
            'test/conformance/**/*.test.ts',
            'test/pipeline/**/*.test.ts',
            'test/api/**/*.test.ts',
            'test/cli/**/*.test.ts',
          ],
          exclude: ['**/*.postgres.test.ts'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'postgres',
          include: ['{server,test}/**/*.postgres.test.ts'],
          globalSetup: ['test/support/postgres-setup.ts'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'asterisk',
          include: ['test/asterisk/**/*.test.ts'],
          globalSetup: ['test/asterisk/global-setup.ts'],
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
