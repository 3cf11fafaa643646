/**
 * The parts of a bench that must not share an event loop or a heap run as processes of their own and are talked to by
 * name: the parent calls what the child serves. A child ends with its parent, whatever that dies of.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

type Handlers = { readonly [name: string]: (argument: never) => unknown }
interface Question {
  readonly id: number
  readonly name: string
  readonly argument: unknown
}
type Reply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: string }

/** What it takes; undefined where it takes nothing. */
type ArgumentOf<F> = F extends () => unknown
  ? undefined
  : F extends (argument: infer A) => unknown
    ? A
    : never
type ResultOf<F> = F extends (argument: never) => infer R ? Awaited<R> : never

export interface Child<H extends Handlers> extends AsyncDisposable {
  readonly pid: number
  /** Rejects with what the child threw, and when it ends before it answers. */
  readonly call: <N extends keyof H & string>(
    name: N,
    argument: ArgumentOf<H[N]>,
  ) => Promise<ResultOf<H[N]>>
  /** kill -9; resolves when it is gone. */
  readonly kill: () => Promise<void>
}

/** Runs `file`, a path beside `base` (`import.meta.url`), whose module calls `serve` with handlers of the type `H`. */
export function startChild<H extends Handlers>(file: string, base: string): Child<H> {
  const child = fork(fileURLToPath(new URL(file, base)), {
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let last = 0
  child.on('message', (reply: Reply) => {
    const question = waiting.get(reply.id)
    waiting.delete(reply.id)
    if ('result' in reply) question?.resolve(reply.result)
    else question?.reject(new Error(`${file}: ${reply.failure}`))
  })
  child.on('exit', (code, signal) => {
    for (const question of waiting.values()) {
      question.reject(new Error(`${file} has ended (${signal ?? code}).`))
    }
    waiting.clear()
  })
  return {
    pid: child.pid ?? 0,
    async call(name, argument) {
      const question = Promise.withResolvers<unknown>()
      last += 1
      waiting.set(last, question)
      child.send({ id: last, name, argument } satisfies Question)
      return (await question.promise) as never
    },
    kill: async () => await end(child, 'SIGKILL'),
    [Symbol.asyncDispose]: async () => await end(child, 'SIGKILL'),
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}

/** For the module of a child: answers its parent until that is gone. */
export function serve(handlers: Handlers): void {
  process.on('message', async ({ id, name, argument }: Question) => {
    let reply: Reply
    try {
      const handler = handlers[name]
      if (handler === undefined) throw new Error(`there is no ${name}`)
      reply = { id, result: await handler(argument as never) }
    } catch (error) {
      reply = {
        id,
        failure: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }
    }
    process.send?.(reply)
  })
  process.on('disconnect', () => process.exit())
}
