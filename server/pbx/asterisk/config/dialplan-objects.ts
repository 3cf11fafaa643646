// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is how the dialplan writes its variables

/** The objects of a call flow, a context each. Its name is made of the object's, and of nothing else. */
import type { Destination, PbxComponent, PbxIvr, PbxQueue, PbxRingGroup } from '#contracts/pbx.ts'
import {
  context,
  type Extension,
  mark,
  plain,
  type Step,
} from '#server/pbx/asterisk/config/dialplan-text.ts'

/** The steps that end a call's stay here and send it on. */
export function leadTo(destination: Destination): Step[] {
  switch (destination.type) {
    case 'user': {
      const voicemail = destination.voicemail ? '(vm)' : ''
      return [`Gosub(call-user,${destination.extension_number},1${voicemail})`, 'Hangup()']
    }
    case 'ivr':
      return [`Goto(ivr-${destination.name},s,1)`]
    case 'queue':
      return [`Goto(queue-${destination.name},s,1)`]
    case 'ring_group':
      return [`Goto(ringgroup-${destination.name},s,1)`]
    case 'component':
      return [`Goto(component-${destination.name},s,1)`]
    case 'voicemail':
      return [`Gosub(to-voicemail,${destination.extension_number},1)`, 'Hangup()']
    case 'external':
      return [
        mark('DIVERT', { user: '', to: plain(destination.number) }),
        `Gosub(call-external,${destination.number},1(,divert))`,
        'Hangup()',
      ]
    case 'hangup':
      return ['Hangup()']
  }
}

/** A caller who has heard us deserves a word before the end. */
const farewell = (destination: Destination): Step[] =>
  destination.type === 'hangup' ? ['Playback(vm-goodbye)', 'Hangup()'] : leadTo(destination)

export function ivrContext(ivr: PbxIvr): string {
  const chosen = (option: string) => `Gosub(opt,s,1(${ivr.name},${option}))`
  const nextTry = (whenOver: string): Step[] => [
    'Set(PBX_TRIES=$[${PBX_TRIES}+1])',
    `GotoIf($[\${PBX_TRIES} >= ${ivr.max_tries}]?${whenOver},1)`,
    'Goto(s,menu)',
  ]
  const options = Object.entries(ivr.options).map(
    ([keys, destination]): Extension => ({
      extension: keys,
      steps: [chosen(plain(keys)), ...leadTo(destination)],
    }),
  )
  return context(`ivr-${ivr.name}`, [
    {
      extension: 's',
      steps: [
        `Set(PBX_IVR=${ivr.name})`,
        mark('IVR_ENTER', { ivr: ivr.name }),
        'Answer()',
        `Set(TIMEOUT(digit)=${ivr.digit_seconds})`,
        `Set(TIMEOUT(response)=${ivr.response_seconds})`,
        'Set(PBX_TRIES=0)',
        { label: 'menu', step: `Background(${ivr.greeting})` },
        `WaitExten(${ivr.response_seconds})`,
      ],
    },
    ...options,
    // Only keys get here: the digits of an option that does not exist.
    { extension: 'i', steps: [chosen('i:${URIENCODE(${INVALID_EXTEN})}'), ...nextTry('invalid')] },
    { extension: 't', steps: [chosen('t'), ...nextTry('timeout')] },
    { extension: 'invalid', steps: farewell(ivr.on_invalid) },
    { extension: 'timeout', steps: farewell(ivr.on_timeout) },
  ])
}

export const queueContext = (queue: PbxQueue): string =>
  context(`queue-${queue.name}`, [
    {
      extension: 's',
      steps: [
        `Set(PBX_QUEUE=${queue.name})`,
        mark('QUEUE_ENTER', { queue: queue.name }),
        'Answer()',
        `Queue(${queue.name},\${PBX_XFER}b(leg-q^s^1(${queue.name})),,,${queue.max_wait_seconds})`,
        // Not reached when the caller gives up or the talk ends: then queue_log and the hangup tell.
        mark('QUEUE_LEAVE', { queue: queue.name, status: '${QUEUESTATUS}' }),
        ...farewell(queue.fallback),
      ],
    },
  ])

export function ringGroupContext(group: PbxRingGroup, defaultRingSeconds: number): string {
  const phones = group.members.map((m) => `PJSIP/${m}`).join('&')
  const seconds = group.ring_seconds ?? defaultRingSeconds
  return context(`ringgroup-${group.name}`, [
    {
      extension: 's',
      steps: [
        `Set(PBX_RG=${group.name})`,
        mark('RG_ENTER', { rg: group.name }),
        `Dial(${phones},${seconds},\${PBX_XFER}b(leg-rg^s^1(${group.name})))`,
        mark('RG_LEAVE', { rg: group.name, status: '${DIALSTATUS}' }),
        ...leadTo(group.fallback),
      ],
    },
  ])
}

export function componentContext(component: PbxComponent): string {
  const parameters = Object.entries(component.parameters).map(([k, v]) => [k, plain(v)] as const)
  return context(`component-${component.name}`, [
    {
      extension: 's',
      steps: [
        mark('COMPONENT', { name: component.name, ...Object.fromEntries(parameters) }),
        ...leadTo(component.next),
      ],
    },
  ])
}
