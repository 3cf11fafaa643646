import type { CommandIo } from '#server/cli/command.ts'
import { takeSteps } from '#server/pipeline/take-steps.ts'
import { StartError } from '#server/start-error.ts'
import type { StepOf } from '#server/store/bulk.ts'

/** Does all the steps and tells how many; Ctrl-C ends it after the step under way, and says so. */
export async function walkToTheEnd(
  io: CommandIo,
  says: (count: number) => string,
  step: StepOf,
): Promise<void> {
  const begin = { startedAt: Date.now(), after: 0 }
  const { changed, rest } = await takeSteps(step, begin, {
    forMs: Number.POSITIVE_INFINITY,
    signal: io.signal,
  })
  await io.write(`${says(changed)}\n`)
  if (rest === null) return
  throw new StartError('interrupted', 'It is not finished; the same command goes on with the rest.')
}

export const counted = (count: number, one: string, many: string) =>
  `${count} ${count === 1 ? one : many}`
