// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is how the dialplan writes its variables

/** Where calls come in: from carriers, from users, and by transfer. */
import type { Destination, PbxDocument, PbxNumber, PbxOutboundRoute } from '#contracts/pbx.ts'
import { leadTo } from '#server/pbx/asterisk/config/dialplan-objects.ts'
import {
  context,
  type Extension,
  encoded,
  mark,
  type Step,
} from '#server/pbx/asterisk/config/dialplan-text.ts'

/** Everything that has an extension, and what it is. */
function* internalTargets(d: PbxDocument): Generator<readonly [string, Destination]> {
  for (const u of d.users) {
    yield [
      u.extension_number,
      { type: 'user', extension_number: u.extension_number, voicemail: true },
    ]
  }
  for (const q of d.queues) if (q.extension) yield [q.extension, { type: 'queue', name: q.name }]
  for (const g of d.ring_groups) {
    if (g.extension) yield [g.extension, { type: 'ring_group', name: g.name }]
  }
  for (const v of d.virtual_extensions) yield [v.extension, v.destination]
}

/** What leads to an extension, for a user who is forwarded there. */
export const internalTarget = (d: PbxDocument, extension: string): Destination | undefined =>
  new Map(internalTargets(d)).get(extension)

export function fromTrunkContext(d: PbxDocument): string {
  const numbers = d.numbers.flatMap(numberExtensions)
  return context('from-trunk', [
    ...numbers,
    {
      // A number of ours that no object has. Only its digits: the rest may be anything.
      extension: '_[+0-9].',
      steps: ['Gosub(sub-in,s,1(${FILTER(0-9+,${EXTEN})}))', 'Hangup(1)'],
    },
    { extension: 'i', steps: ['Hangup(1)'] },
  ])
}

function numberExtensions(n: PbxNumber): Extension[] {
  const steps: Step[] = [
    `Gosub(sub-in,s,1(${n.did}))`,
    ...(n.recording ? ['Gosub(sub-rec,s,1(in))'] : []),
    ...leadTo(n.destination),
  ]
  // Carriers change their minds about the plus and the country code; all forms are the one number.
  const forms = [n.did.replace(/^\+/, ''), ...(n.number === null ? [] : [n.number.slice(1)])]
  const others = new Set(forms.flatMap((digits) => [digits, `+${digits}`]))
  others.delete(n.did)
  return [
    { extension: n.did, steps },
    ...[...others].map((form) => ({ extension: form, steps: [`Goto(${n.did},1)`] })),
  ]
}

export function fromUsersContext(d: PbxDocument): string {
  const internal = [...internalTargets(d)].map(
    ([extension, destination]): Extension => ({
      extension,
      steps: [`Gosub(sub-user,s,1(int,${extension}))`, ...leadTo(destination)],
    }),
  )
  const pickups = d.users.map(({ extension_number: target }): Extension => {
    const from = `Gosub(sub-user,s,1(pickup,${target}))`
    return {
      extension: `${d.feature_codes.pickup}${target}`,
      steps: [
        from,
        // By extension it finds a call for the user alone; legs of queues and ring groups only by channel.
        `Pickup(${target}@from-users)`,
        `PickupChan(PJSIP/${target},p)`,
        mark('PICKUP_FAILED', { target }),
        'Hangup(31)',
      ],
    }
  })
  const voicemail: Extension = {
    extension: d.feature_codes.voicemail,
    steps: [
      `Gosub(sub-user,s,1(feature,${d.feature_codes.voicemail}))`,
      'VoiceMailMain(${PBX_USER}@default)',
      'Hangup()',
    ],
  }
  const outbound = d.outbound_routes.flatMap((route) =>
    patternsOf(route).map(
      (extension): Extension => ({
        extension,
        steps: [
          // FILTER: behind the pattern's first digits a phone may send anything, and it is dialled further on.
          'Set(PBX_TO=${FILTER(0-9+,${EXTEN})})',
          'Gosub(sub-user,s,1(out,${PBX_TO}))',
          'GotoIf($["${PBX_OUTBOUND}" = "no"]?forbidden)',
          route.recording ? 'Gosub(sub-rec,s,1(out))' : recordIfUserSays,
          dialOut(route, '${PBX_TO}', '${PBX_USER}^out^${PBX_CLI}'),
          'Hangup(${HANGUPCAUSE})',
          { label: 'forbidden', step: 'Hangup(21)' },
        ],
      }),
    ),
  )
  return context('from-users', [
    ...internal,
    ...pickups,
    voicemail,
    ...outbound,
    { extension: 'i', steps: ['Hangup(1)'] },
  ])
}

/** PBX_REC comes from the user's endpoint. */
const recordIfUserSays =
  'ExecIf($["${PBX_REC}" = "outbound" | "${PBX_REC}" = "all"]?Gosub(sub-rec,s,1(out)))'

/** Asterisk's own order picks the longest fixed beginning, so the longest prefix wins. */
const patternsOf = (route: PbxOutboundRoute): string[] =>
  route.prefix === '' ? ['_X.', '_+X.'] : route.prefix === '+' ? ['_+X.'] : [`_${route.prefix}X.`]

function dialOut(route: PbxOutboundRoute, to: string, legArguments: string): string {
  const number = route.strip === 0 ? to : `\${PBX_TO:${route.strip}}`
  return `Dial(PJSIP/${number}@${route.trunk},60,\${PBX_XFER}b(leg^ext^1(${to}^${legArguments})))`
}

/** Calls that leave the PBX without a user dialling: diversions. ARG1: for whom, ARG2: why. */
export function callExternalContext(d: PbxDocument): string {
  const extensions = d.outbound_routes.flatMap((route) =>
    patternsOf(route).map(
      (extension): Extension => ({
        extension,
        steps: [
          'Set(PBX_TO=${EXTEN})',
          dialOut(route, '${PBX_TO}', '${ARG1}^${ARG2}^'),
          'Return()',
        ],
      }),
    ),
  )
  return context('call-external', extensions)
}

/** Where a transfer leads: TRANSFER_CONTEXT, which every channel of a call inherits. */
export function transferContext(d: PbxDocument): string {
  const to = (number: string) =>
    mark('TRANSFER_TO', {
      to: number,
      blind: encoded('${BLINDTRANSFER}'),
      attended: encoded('${ATTENDEDTRANSFER}'),
    })
  const internal = [...internalTargets(d)].map(([extension, destination]): Extension => {
    // Somebody who asks first does not want to talk to a mailbox.
    const lead =
      destination.type === 'user'
        ? [
            `Gosub(call-user,${extension},1(\${IF($["\${ATTENDEDTRANSFER}" = ""]?vm:)}))`,
            'Hangup()',
          ]
        : leadTo(destination)
    return { extension, steps: [to(extension), ...lead] }
  })
  const outside = d.outbound_routes.flatMap((route) =>
    patternsOf(route).map(
      (extension): Extension => ({
        extension,
        steps: [
          'Set(PBX_TO=${FILTER(0-9+,${EXTEN})})',
          to('${PBX_TO}'),
          dialOut(route, '${PBX_TO}', '${PBX_USER}^xfer^'),
          'Hangup()',
        ],
      }),
    ),
  )
  return context('xfer', [...internal, ...outside])
}
