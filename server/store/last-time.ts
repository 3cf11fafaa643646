/**
 * The latest time by which anything was put off, kept for the next start. While a process runs its clock never goes
 * back (`pipeline/steady-clock.ts`); over a restart only the database can know that somebody set it back meanwhile, and
 * that what is due "in ten seconds" is due in an hour and ten seconds by the clock of now.
 */
import { sql } from 'kysely'
import type { Db, Store } from '#server/store/store.ts'

const name = 'last_time'

/** Clocks of nodes differ by less; see `domain/rate-limit.ts`. */
const clocksDifferMs = 10_000

/** Every some seconds: what was put off by a later time than the last that was noted cannot be mended. */
export async function noteTime(store: Store, now: number): Promise<void> {
  await sql`
    insert into setting (name, value) values (${name}, ${String(now)})
    on conflict (name) do update set value = excluded.value
      where cast(setting.value as bigint) < cast(excluded.value as bigint)`.execute(store.write)
}

/**
 * At a start, before anything is claimed: where the clock is behind the time that was noted last, by more than clocks
 * of nodes differ, everything that waits is due earlier by as much, but not before `now`. Not while the clock of
 * another node is where it was. Returns the milliseconds by which the clock was set back; 0: it was not.
 */
export async function mendTimes(store: Store, now: number): Promise<number> {
  return await store.write.transaction().execute(async (trx) => {
    const back = (await lastTime(trx)) - (await latestClock(trx, store.node, now))
    if (back <= clocksDifferMs) return 0
    const earlier = (time: string) =>
      sql`case when ${sql.ref(time)} - ${back} > ${now} then ${sql.ref(time)} - ${back} else ${now} end`
    await sql`
      update lane set
        next_due = case when next_due > ${now} then ${earlier('next_due')} else next_due end,
        breaker_until =
          case when breaker_until > ${now} then ${earlier('breaker_until')} else breaker_until end,
        failing_since =
          case when failing_since > ${now} then ${now} else failing_since end
      where next_due > ${now} or breaker_until > ${now} or failing_since > ${now}`.execute(trx)
    await sql`
      update delivery set due_at = ${earlier('due_at')}
      where state = 'pending' and due_at > ${now}`.execute(trx)
    await sql`update setting set value = ${String(now)} where name = ${name}`.execute(trx)
    return back
  })
}

async function lastTime(trx: Db): Promise<number> {
  const row = await trx
    .selectFrom('setting')
    .select('value')
    .where('name', '=', name)
    .executeTakeFirst()
  return Number(row?.value ?? 0)
}

/** Of all nodes, as far as they have told. */
async function latestClock(trx: Db, node: string, now: number): Promise<number> {
  const row = await trx
    .selectFrom('node')
    .select((e) => e.fn.max('seen_at').as('latest'))
    .where('id', '<>', node)
    .executeTakeFirst()
  return Math.max(now, row?.latest ?? 0)
}
