/**
 * A process for what templates do, one job after the other. Not a thread: a template that takes more memory than there is
 * would end Offhook with it (V8 aborts the process where one allocation is too large). It has no settings, no files open, and is
 * not missed when it dies.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Job, JobDone, JobName } from '#server/pipeline/template-program.ts'

export interface TemplateProcess {
  /** Waits for the jobs before it. Rejects for failures of our own, and when it is closed. */
  readonly run: <N extends JobName>(job: Job<N>) => Promise<JobDone<N>>
  readonly close: () => Promise<void>
}

interface Waiting {
  readonly job: Job<JobName>
  readonly done: PromiseWithResolvers<JobDone<JobName>>
  /** How many processes have died with it. */
  deaths: number
  hung: boolean
}

const program = fileURLToPath(new URL('template-program.ts', import.meta.url))
/** The engine counts what a template makes (`domain/render/template.ts`); this is for what it does not see. */
const memoryMb = 256
/** Many times what the limits within the process allow: it hangs. */
const hangsMs = 10_000
/** It takes a fifth of a second to start, which a template that is used every few minutes should not wait for each time. */
const idleMs = 600_000

const forkProgram = () =>
  fork(program, {
    serialization: 'advanced',
    // What V8 prints when it gives up is nothing for our log.
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: {},
    execArgv: [`--max-old-space-size=${memoryMb}`],
  })

export function createTemplateProcess(): TemplateProcess {
  const queue: Waiting[] = []
  let child: ChildProcess | null = null
  let current: Waiting | null = null
  let watch: NodeJS.Timeout | undefined
  let closed = false

  function start(): ChildProcess {
    const started = forkProgram()
    started.on('message', (done: JobDone<JobName>) => {
      current?.done.resolve(done)
      next()
    })
    started.on('error', (error) => gone(started, error))
    started.on('exit', (code, signal) => gone(started, signal ?? `exit code ${code}`))
    return started
  }

  function next(): void {
    clearTimeout(watch)
    current = queue.shift() ?? null
    if (current === null) {
      // Nothing of ours keeps the event loop alive any more.
      child?.unref()
      child?.channel?.unref()
      watch = setTimeout(() => child?.disconnect(), idleMs).unref()
      return
    }
    child ??= start()
    child.ref()
    child.channel?.ref()
    child.send(current.job, (error) => {
      // Its exit is told as well.
      if (error !== null) child?.kill('SIGKILL')
    })
    watch = setTimeout(() => {
      if (current !== null) current.hung = true
      child?.kill('SIGKILL')
    }, hangsMs)
  }

  function gone(which: ChildProcess, why: Error | string): void {
    if (which !== child) return
    child = null
    const dead = current
    if (dead === null) return
    dead.deaths += 1
    const failure = failureOf(dead, why)
    if (closed) dead.done.reject(closedError())
    else if (failure === null) queue.unshift(dead)
    else if (failure instanceof Error) dead.done.reject(failure)
    else dead.done.resolve(failure)
    next()
  }

  return {
    async run<N extends JobName>(job: Job<N>) {
      if (closed) throw closedError()
      const done = Promise.withResolvers<JobDone<JobName>>()
      queue.push({ job, done, deaths: 0, hung: false })
      if (current === null) next()
      return (await done.promise) as JobDone<N>
    },
    async close() {
      closed = true
      for (const { done } of queue.splice(0)) done.reject(closedError())
      clearTimeout(watch)
      const last = child
      if (last === null) return
      last.ref()
      const ended = new Promise((resolve) => last.once('exit', resolve))
      last.kill('SIGKILL')
      await ended
    },
  }
}

const closedError = () => new Error('Templates are not rendered any more.')

/** What became of a job whose process is gone; an error: our own; null: it may be done once more. */
function failureOf(
  { deaths, hung }: Waiting,
  why: Error | string,
): JobDone<JobName> | Error | null {
  if (why instanceof Error) return why
  if (hung) return failed(`it was not done in ${hangsMs / 1000} s`)
  if (why === 'SIGABRT') return failed('it takes too much memory')
  // Somebody else may have killed it, once.
  return deaths > 1 ? failed(`its process died twice (${why})`) : null
}

const failed = (why: string): JobDone<JobName> => ({
  result: { notRendered: `The template failed: ${why}.` },
  processorMs: hangsMs,
})
