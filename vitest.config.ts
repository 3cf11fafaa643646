import { defineConfig } from 'vitest/config'

// Four projects: `unit` is pure or needs only files and loopback sockets; `postgres` starts a PostgreSQL for its files,
// which are named *.postgres.test.ts; `asterisk` boots real PBXs; `chaos` harms a running Offhook. The files of `asterisk`
// run three at a time, for calls mostly wait, and after the unit tests, whose load would make phones late; those of
// `chaos` come last and one by one, since they look at memory and at delays.
// Each store has threads and each `offhook` is a process, all of which read hundreds of modules: `npm test` keeps what Node
// compiles of them (NODE_COMPILE_CACHE), which halves the time of the tests that open stores.
// (Without a number of workers Vitest takes one on two cores, and puts what has one worker and no order behind all others.)
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
            'bench/**/*.test.ts',
            'test/conformance/**/*.test.ts',
            'test/pipeline/**/*.test.ts',
            'test/api/**/*.test.ts',
            'test/cli/**/*.test.ts',
            'test/agent/**/*.test.ts',
            'test/receiver/**/*.test.ts',
          ],
          exclude: ['**/*.postgres.test.ts'],
          maxWorkers: 2,
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'postgres',
          include: ['{server,test}/**/*.postgres.test.ts'],
          globalSetup: ['test/support/postgres-setup.ts'],
          maxWorkers: 2,
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
      {
        test: {
          name: 'chaos',
          include: ['test/chaos/**/*.test.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
