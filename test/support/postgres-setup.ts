import type { TestProject } from 'vitest/node'
import { startPostgres } from '#test/support/postgres-server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** `postgres://…/` of the server of this run, to which the name of a database is added. */
    postgresUrl: string
  }
}

/** Starts one PostgreSQL for the whole run; test files make databases of their own on it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres()
  project.provide('postgresUrl', server.url(''))
  return async () => await server[Symbol.asyncDispose]()
}
