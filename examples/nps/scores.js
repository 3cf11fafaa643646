/** The scores, in SQLite. */
import { DatabaseSync } from 'node:sqlite'

export function openScores(path) {
  const database = new DatabaseSync(path)
  database.exec(`
    pragma journal_mode = wal;
    pragma synchronous = full;
    create table if not exists score (
      call_uuid text primary key,
      score integer not null,
      ivr text not null,
      source text,
      destination text,
      at text not null,
      recording text
    )`)
  const insert = database.prepare(`
    insert into score values (:call_uuid, :score, :ivr, :source, :destination, :at, null)
    on conflict (call_uuid) do nothing`)
  const findLacking = database.prepare(
    'select 1 from score where call_uuid = ? and recording is null',
  )
  const setRecording = database.prepare('update score set recording = ? where call_uuid = ?')
  return {
    /** The first that a caller gives counts; the event that comes again changes nothing. */
    add({ occurred_at, call, ivr }) {
      insert.run({
        call_uuid: call.uuid,
        score: Number(ivr.option),
        ivr: ivr.name,
        source: call.source.number ?? call.source.raw,
        destination: call.destination.number ?? call.destination.raw,
        at: occurred_at,
      })
    },
    lacksRecording: (callUuid) => findLacking.get(callUuid) !== undefined,
    addRecording: (callUuid, file) => void setRecording.run(file, callUuid),
    all: () => database.prepare('select * from score order by at').all(),
    close: () => database.close(),
  }
}
