/** The calls that were billed, in SQLite. */
import { DatabaseSync } from 'node:sqlite'

export function openCalls(path) {
  const database = new DatabaseSync(path)
  // What was answered with 204 is not sent again: it must be on the disk by then.
  database.exec(`
    pragma journal_mode = wal;
    pragma synchronous = full;
    create table if not exists call (
      event_id text primary key,
      call_uuid text not null unique,
      direction text not null,
      source text,
      destination text,
      extension text,
      started_at text not null,
      cause text not null,
      duration integer not null,
      bill_duration integer not null,
      incomplete integer not null
    )`)
  const insert = database.prepare(`
    insert into call values (
      :event_id, :call_uuid, :direction, :source, :destination, :extension,
      :started_at, :cause, :duration, :bill_duration, :incomplete
    ) on conflict do nothing`)
  return {
    /** False: the call is in the table, for the event had come before. */
    add({ id, call, user }) {
      const { changes } = insert.run({
        event_id: id,
        call_uuid: call.uuid,
        direction: call.direction,
        source: call.source.number ?? call.source.raw,
        destination: call.destination.number ?? call.destination.raw,
        extension: call.answered_by?.extension_number ?? user?.extension_number ?? null,
        started_at: call.started_at,
        cause: call.hangup.cause,
        duration: call.duration,
        bill_duration: call.bill_duration,
        // The PBX died or lost the call: its end is the last time at which it was known to live.
        incomplete: Number(call.incomplete),
      })
      return changes === 1
    },
    totals: () =>
      database
        .prepare(
          `select direction, cause, count(*) as calls, sum(bill_duration) as seconds,
            sum(incomplete) as incomplete
          from call group by direction, cause order by direction, cause`,
        )
        .all(),
    close: () => database.close(),
  }
}
