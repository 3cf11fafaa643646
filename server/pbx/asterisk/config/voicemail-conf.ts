import type { PbxDocument } from '#contracts/pbx.ts'
import { confValue, displayName, section } from '#server/pbx/asterisk/config/site.ts'

export const voicemailConf = (document: PbxDocument): string =>
  [
    section('general', [
      // The only format: 16 bytes per millisecond, so the size of a file tells its length.
      ['format', 'wav'],
      ['attach', 'no'],
      // Nobody speaks for less; and Asterisk warns of 0.
      ['minsecs', 1],
      ['maxsecs', 600],
      ['maxmsg', 1000],
      ['skipms', 3000],
      ['maxlogins', 3],
      // A user who changes the PIN by phone would else make Asterisk rewrite this file.
      ['passwordlocation', 'spooldir'],
    ]),
    '[default]',
    ...document.users
      .filter((u) => u.has_voicemail)
      .map((u) => `${u.extension_number} => ${u.voicemail_pin},${confValue(displayName(u.name))}`),
    '',
  ].join('\n')
