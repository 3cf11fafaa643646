import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Durability } from '#server/store/durability.ts'
import type { ProcedureName, ProcedureRequest, ProcedureResult } from '#server/store/procedures.ts'
import type { SqliteConnection } from '#server/store/sqlite-dialect.ts'
import type {
  ConnectionSettings,
  StatementResult,
  WorkerFailure,
  WorkerGreeting,
  WorkerReply,
  WorkerRequest,
} from '#server/store/sqlite-protocol.ts'
import { StoreError, type StoreErrorCode } from '#server/store/store-error.ts'

/** A SQLite connection on a thread of its own, as the event loop sees it. */
export interface SqliteThread extends SqliteConnection {
  /** Runs a whole transaction there. */
  readonly call: <N extends ProcedureName>(
    name: N,
    durability: Durability,
    request: ProcedureRequest<N>,
  ) => Promise<ProcedureResult<N>>
  /** Resolves when the commits of all `soon` calls that have returned are on the disk. Throws StoreError. */
  readonly onDisk: () => Promise<void>
  /** Rejects when the thread ends without having been closed: nothing can be stored from then on. */
  readonly failed: Promise<never>
  /** Closes the connection and ends the thread. */
  readonly close: () => Promise<void>
}

/** SQLite's primary result codes, https://www.sqlite.org/rescode.html */
const refusals: Readonly<Record<number, readonly [StoreErrorCode, string]>> = {
  3: ['database_not_writable', 'The database cannot be written: no permission.'],
  5: ['database_busy', 'Another program has kept the database locked for too long.'],
  8: ['database_not_writable', 'The database cannot be written: it is read-only.'],
  11: ['database_corrupt', 'The database file is damaged; restore a backup.'],
  13: ['storage_full', 'The disk of the database is full; nothing was changed.'],
  14: ['database_not_writable', 'The database file cannot be opened.'],
  26: ['database_corrupt', 'The file is not a database of SQLite.'],
}

function storeError(failure: WorkerFailure, path: string): StoreError {
  if (failure.code !== null) return new StoreError(failure.code, failure.message)
  const [code, says] = refusals[(failure.errcode ?? 0) & 0xff] ?? ['database_failed', '']
  const what = `${says === '' ? 'The database refused a statement.' : says} (${path}: ${failure.message})`
  return new StoreError(code, what, { cause: failure })
}

/** Resolves with the worker's first message; a worker that ends before one is an error. */
async function greetingOf(worker: Worker): Promise<WorkerGreeting> {
  const end = new AbortController()
  const { signal } = end
  const ended = async (): Promise<never> => {
    await once(worker, 'exit', { signal })
    throw new Error('the thread of the database ended at once')
  }
  try {
    return await Promise.race([
      once(worker, 'message', { signal }).then(([greeting]) => greeting as WorkerGreeting),
      ended(),
    ])
  } finally {
    end.abort()
  }
}

/**
 * Starts a thread and opens the database in it. Throws StoreError `database_in_use` when another process has the lock,
 * `database_not_writable`, `database_corrupt`, … when it cannot be opened.
 */
export async function startSqliteThread(settings: ConnectionSettings): Promise<SqliteThread> {
  const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), {
    workerData: settings,
    name: `offhook-sqlite-${settings.access}`,
    // Not those of the process: some, such as --input-type, refuse a worker of a file.
    execArgv: [],
    // Transactions leave little behind; the usual three times 16 MB would fill with what is dead.
    resourceLimits: { maxYoungGenerationSizeMb: settings.access === 'write' ? 16 : 4 },
  })
  const greeting = await greetingOf(worker)
  if (!greeting.ready) {
    await worker.terminate()
    if (greeting.locked) {
      throw new StoreError(
        'database_in_use',
        `Another Offhook is running on the database ${settings.path}; stop it first.`,
      )
    }
    throw storeError(greeting.failure, settings.path)
  }
  return converse(worker, settings.path)
}

function converse(worker: Worker, path: string): SqliteThread {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let last = 0
  let ended: StoreError | null = null
  let closing = false
  const failure = Promise.withResolvers<never>()
  // Nobody may be waiting for it.
  failure.promise.catch(() => undefined)

  const disk = createDiskNews()

  worker.on('message', (reply: WorkerReply) => {
    if ('onDisk' in reply) return disk.reached(reply.onDisk)
    const question = waiting.get(reply.id)
    waiting.delete(reply.id)
    if ('result' in reply) question?.resolve(reply.result)
    else question?.reject(storeError(reply.failure, path))
  })
  const end = (cause: unknown) => {
    ended ??= new StoreError('database_failed', `The database ${path} is closed.`, { cause })
    for (const question of waiting.values()) question.reject(ended)
    waiting.clear()
    disk.lost(ended)
    if (!closing) failure.reject(ended)
  }
  worker.on('error', end)
  worker.on('exit', end)

  const ask = async (request: WorkerRequest): Promise<unknown> => {
    if (ended !== null) throw ended
    const question = Promise.withResolvers<unknown>()
    waiting.set(request.id, question)
    worker.postMessage(request)
    return await question.promise
  }
  const nextId = () => {
    last += 1
    return last
  }
  return {
    // The worker answers in kind; both ends are of this program, and of one version.
    run: async (statement) => (await ask({ id: nextId(), ...statement })) as StatementResult,
    call: async <N extends ProcedureName>(
      call: N,
      durability: Durability,
      request: ProcedureRequest<N>,
    ) => {
      const id = nextId()
      const result = (await ask({ id, call, durability, request })) as ProcedureResult<N>
      if (durability === 'soon') disk.awaits(id)
      return result
    },
    onDisk: disk.reachedAll,
    rollback: async () => {
      await ask({ id: nextId(), rollback: true })
    },
    failed: failure.promise,
    close: async () => {
      if (ended !== null) return
      closing = true
      const exited = new Promise((resolve) => worker.once('exit', resolve))
      await ask({ id: nextId(), close: true })
      await exited
    },
  }
}

/** How far the disk has come, and who waits for it. */
function createDiskNews() {
  let last = 0
  let onDisk = 0
  let lost: StoreError | null = null
  let waiting: { readonly id: number; readonly answer: PromiseWithResolvers<void> }[] = []
  return {
    awaits(id: number): void {
      last = Math.max(last, id)
    },
    reached(id: number): void {
      onDisk = id
      for (const one of waiting) if (one.id <= id) one.answer.resolve()
      waiting = waiting.filter((one) => one.id > id)
    },
    lost(error: StoreError): void {
      lost = error
      for (const { answer } of waiting) answer.reject(error)
      waiting = []
    },
    async reachedAll(): Promise<void> {
      if (onDisk >= last) return
      if (lost !== null) throw lost
      const answer = Promise.withResolvers<void>()
      waiting.push({ id: last, answer })
      await answer.promise
    },
  }
}
