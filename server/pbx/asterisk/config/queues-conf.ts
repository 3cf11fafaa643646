import type { PbxDocument } from '#contracts/pbx.ts'
import { section } from '#server/pbx/asterisk/config/site.ts'

export const queuesConf = (document: PbxDocument): string =>
  [
    section('general', [
      ['persistentmembers', 'no'],
      ['autofill', 'yes'],
      ['log_membername_as_agent', 'yes'],
    ]),
    ...document.queues.map((queue) =>
      [
        section(queue.name, [
          ['strategy', queue.strategy],
          ['timeout', queue.member_ring_seconds],
          ['retry', 1],
          ['wrapuptime', 0],
          ['ringinuse', 'no'],
          ['joinempty', 'yes'],
          ['leavewhenempty', 'no'],
        ]),
        // The channel stands for the name, too: queue_log then says who it was in a way that never changes.
        ...queue.members.map((m) => `member => PJSIP/${m},0,PJSIP/${m},PJSIP/${m}`),
        '',
      ].join('\n'),
    ),
  ].join('\n')
