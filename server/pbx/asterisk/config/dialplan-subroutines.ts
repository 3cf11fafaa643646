// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is how the dialplan writes its variables

/** What the contexts share. The names of contexts and marks are those of the recorded calls in test/traces. */
import type { PbxDocument, PbxUser } from '#contracts/pbx.ts'
import { internalTarget } from '#server/pbx/asterisk/config/dialplan-callers.ts'
import { leadTo } from '#server/pbx/asterisk/config/dialplan-objects.ts'
import {
  context,
  type Extension,
  encoded,
  mark,
  plain,
  type Step,
} from '#server/pbx/asterisk/config/dialplan-text.ts'

/**
 * A lead id that came with the call: header X-Lead-Id of its INVITE, else the variable PBX_LEAD of an originated call.
 * The mark goes before the one that begins the call (`begin`), so that the first event carries the id already.
 * Jumps, not ExecIf: that would read a stranger's text as its own arguments.
 */
const withLeadId = (begin: string): Step[] => [
  'GotoIf($["${CHANNEL(channeltype)}" != "PJSIP"]?known)',
  'Set(PBX_LEAD_HEADER=${PJSIP_HEADER(read,X-Lead-Id)})',
  'GotoIf($[${LEN(${PBX_LEAD_HEADER})} = 0]?known)',
  'Set(PBX_LEAD=${PBX_LEAD_HEADER:0:200})',
  { label: 'known', step: 'GotoIf($[${LEN(${PBX_LEAD})} = 0]?begin)' },
  mark('LEAD', { id: encoded('${PBX_LEAD}') }),
  { label: 'begin', step: begin },
]

/** ARG1: the number that was called. Called parties may transfer; a caller from outside may not (it would cost us). */
const inbound = context('sub-in', [
  {
    extension: 's',
    steps: [
      'Set(__PBX_DIR=in)',
      'Set(__PBX_XFER=t)',
      'Set(CHANNEL(userfield)=dir=in&did=${ARG1})',
      'Set(__TRANSFER_CONTEXT=xfer)',
      'Set(CHANNEL(hangup_handler_push)=sub-end,s,1)',
      ...withLeadId(
        mark('INBOUND', { did: encoded('${ARG1}'), from: encoded('${CALLERID(num)}') }),
      ),
      'Return()',
    ],
  },
])

/** ARG1: out, int, pickup or feature; ARG2: what was dialled. */
const userCall = context('sub-user', [
  {
    extension: 's',
    steps: [
      'Set(__PBX_DIR=${ARG1})',
      'Set(__PBX_XFER=${IF($["${ARG1}" = "out"]?T:tT)})',
      'Set(CHANNEL(userfield)=dir=${ARG1}&user=${PBX_USER}&to=${ARG2})',
      'Set(__TRANSFER_CONTEXT=xfer)',
      'Set(CHANNEL(hangup_handler_push)=sub-end,s,1)',
      ...withLeadId(
        mark('USERCALL', { kind: '${ARG1}', user: '${PBX_USER}', to: encoded('${ARG2}') }),
      ),
      'Return()',
    ],
  },
])

/** Runs on the calling channel when it is over, before its HANGUP row. */
const end = context('sub-end', [
  {
    extension: 's',
    steps: [
      // Channels that Dial() called. Of several nobody can say whose answer was the last: they come in no order.
      'Set(PBX_CALLED=${HANGUPCAUSE_KEYS()})',
      'GotoIf($[${LEN(${PBX_CALLED})} = 0 | ${FIELDQTY(PBX_CALLED,\\,)} > 1]?tell)',
      'Set(PBX_SIP=${HANGUPCAUSE(${PBX_CALLED},tech)})',
      {
        label: 'tell',
        step: mark('END', {
          sip: encoded('${PBX_SIP}'),
          cause: '${HANGUPCAUSE}',
          src: encoded('${CHANNEL(hangupsource)}'),
          dialstatus: '${DIALSTATUS}',
          answered: '${ANSWEREDTIME}',
          dialed: '${DIALEDTIME}',
          queuestatus: '${QUEUESTATUS}',
          abandoned: '${ABANDONED}',
          state: encoded('${CHANNEL(state)}'),
        }),
      },
      'Return()',
    ],
  },
])

/** ARG1: in or out. Once per call: a number and its user may both ask for it. */
const recording = [
  context('sub-rec', [
    {
      extension: 's',
      steps: [
        'GotoIf($["${RECFILE}" != ""]?done)',
        'Set(RECFILE=${REC}/${ARG1}-${UNIQUEID}.wav)',
        'MixMonitor(${RECFILE})',
        mark('REC_START', { file: encoded('${RECFILE}') }),
        'Set(CHANNEL(hangup_handler_push)=sub-recend,s,1)',
        { label: 'done', step: 'Return()' },
      ],
    },
  ]),
  context('sub-recend', [
    {
      extension: 's',
      steps: [
        // Closes the file before it returns; without it the size would be that of a file being written.
        'StopMixMonitor()',
        mark('REC_END', { file: encoded('${RECFILE}'), bytes: '${STAT(s,${RECFILE})}' }),
        'Return()',
      ],
    },
  ]),
]

/** Run on the CALLED channel before it rings (Dial and Queue option b): there is no ringing row in CEL. */
const legs = [
  context('leg', [
    {
      // ARG1 user, ARG2 queue, ARG3 ring group
      extension: 'user',
      steps: [
        'Set(PBX_USER=${ARG1})',
        'Set(CHANNEL(userfield)=user=${ARG1}&queue=${ARG2}&rg=${ARG3})',
        mark('LEG_USER', { user: '${ARG1}', queue: '${ARG2}', rg: '${ARG3}' }),
        'Return()',
      ],
    },
    {
      // ARG1 number, ARG2 for which user, ARG3 why, ARG4 the number to show (on this leg only: the caller's own
      // channel keeps what it is)
      extension: 'ext',
      steps: [
        'Set(CHANNEL(userfield)=ext=${ARG1}&for=${ARG2}&why=${ARG3})',
        'ExecIf($["${ARG4}" != ""]?Set(CONNECTEDLINE(num,i)=${ARG4}))',
        mark('LEG_EXT', { to: encoded('${ARG1}'), for: '${ARG2}', why: '${ARG3}' }),
        'Return()',
      ],
    },
  ]),
  ...(['leg-q', 'leg-rg'] as const).map((name) =>
    context(name, [
      {
        extension: 's',
        steps: [
          // Members share one handler: who it is stands in the channel's name, PJSIP/<extension>-<number>.
          'Set(PBX_MEMBER=${CUT(CHANNEL(name),/,2)})',
          `Gosub(leg,user,1(\${CUT(PBX_MEMBER,-,1)},${name === 'leg-q' ? '${ARG1},' : ',${ARG1}'}))`,
          'Return()',
        ],
      },
    ]),
  ),
]

/** One extension per user. ARG1 `vm`: on to voicemail when it is busy or not answered. */
const callUser = (d: PbxDocument): string =>
  context(
    'call-user',
    d.users.map((u) => ({ extension: u.extension_number, steps: reach(u, d) })),
  )

function reach(u: PbxUser, d: PbxDocument): Step[] {
  const extension = u.extension_number
  const forwarded = u.forward_to === null ? undefined : forward(u, u.forward_to, d)
  if (forwarded) return forwarded
  const recorded = u.recording === 'inbound' || u.recording === 'all'
  const unreached = ['NOANSWER', 'BUSY', 'CHANUNAVAIL', 'CONGESTION']
    .map((status) => `"\${DIALSTATUS}" = "${status}"`)
    .join(' | ')
  return [
    ...(recorded ? ['ExecIf($["${PBX_DIR}" = "in"]?Gosub(sub-rec,s,1(in)))'] : []),
    `Dial(PJSIP/${extension},${u.ring_seconds ?? d.default_ring_seconds},\${PBX_XFER}b(leg^user^1(${extension}^^)))`,
    ...(u.has_voicemail
      ? [
          `GotoIf($["\${ARG1}" = "vm" & (${unreached})]?vm)`,
          'Return()',
          { label: 'vm', step: `Gosub(to-voicemail,${extension},1)` },
        ]
      : []),
    'Return()',
  ]
}

function forward(u: PbxUser, to: string, d: PbxDocument): Step[] {
  const inside = internalTarget(d, to)
  if (inside)
    return inside.type === 'user'
      ? [`Gosub(call-user,${to},1(\${ARG1}))`, 'Return()']
      : leadTo(inside)
  return [
    mark('DIVERT', { user: u.extension_number, to: plain(to) }),
    `Gosub(call-external,${to},1(${u.extension_number},divert))`,
    'Return()',
  ]
}

/** The caller hangs up while recording, so only a hangup handler can tell that a message is there. */
const voicemail = (d: PbxDocument): string[] => [
  context('to-voicemail', [
    ...d.users
      .filter((u) => u.has_voicemail)
      .map(
        ({ extension_number: mailbox }): Extension => ({
          extension: mailbox,
          steps: [
            `Set(CHANNEL(hangup_handler_push)=sub-vmend,s,1(${mailbox}))`,
            `VoiceMail(${mailbox}@default,su)`,
            'Return()',
          ],
        }),
      ),
  ]),
  context('sub-vmend', [
    {
      extension: 's',
      steps: [
        mark('VOICEMAIL', {
          mailbox: '${ARG1}',
          status: '${VMSTATUS}',
          file: encoded('${VM_MESSAGEFILE}'),
          bytes: '${STAT(s,${VM_MESSAGEFILE}.wav)}',
        }),
        'Return()',
      ],
    },
  ]),
]

/** After an option of an IVR. ARG1: the IVR, ARG2: what was chosen, encoded. */
const option = context('opt', [
  {
    extension: 's',
    steps: [mark('IVR_OPTION', { ivr: '${ARG1}', option: '${ARG2}' }), 'Return()'],
  },
])

export const subroutines = (d: PbxDocument): string[] => [
  inbound,
  userCall,
  end,
  ...recording,
  ...legs,
  callUser(d),
  ...voicemail(d),
  option,
]
