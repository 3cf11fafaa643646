/** One realistic event of each type, for forms, previews, tests and the event reference; `story.ts` is what happens in them. */
import type { EventOf, EventType } from '#contracts/events/catalogue.ts'
import {
  alice,
  annaAnswered,
  annaEnded,
  annaLegs,
  answered,
  at,
  bob,
  carol,
  dave,
  fromAnna,
  fromMobile,
  inFrontDesk,
  inSales,
  mobileAnswered,
  mobileMissed,
  ofCall,
  ofService,
  toCarol,
  toMobile,
  unknownEnded,
} from '#contracts/events/story.ts'

/** A sample of each type of event, in the native form. Consumers must not rely on its values. */
export const eventSamples: { readonly [T in EventType]: EventOf<T> } = {
  'user.created': { type: 'user.created', ...ofService('901', at('19:58:20.300')), user: dave },
  'user.modified': {
    type: 'user.modified',
    ...ofService('902', at('20:03:44.871')),
    user: { ...dave, name: 'Dave Nguyen' },
    changed_fields: ['name'],
  },
  'user.deleted': {
    type: 'user.deleted',
    ...ofService('903', at('21:30:00.042')),
    user: { ...dave, name: 'Dave Nguyen' },
  },
  'call.inbound.received': {
    type: 'call.inbound.received',
    ...ofCall(1, at('20:14:41.205'), fromAnna, {}),
  },
  'call.inbound.answered': {
    type: 'call.inbound.answered',
    ...ofCall(8, at('20:15:04.120'), annaAnswered, { user: alice, ...inSales }),
  },
  'call.outbound.placed': {
    type: 'call.outbound.placed',
    ...ofCall(1, at('20:52:30.660'), toMobile, { user: bob }),
  },
  'call.outbound.answered': {
    type: 'call.outbound.answered',
    ...ofCall(3, at('20:52:38.905'), mobileAnswered, { user: bob }),
  },
  'call.internal.placed': {
    type: 'call.internal.placed',
    ...ofCall(1, at('20:58:03.110'), toCarol, { user: alice }),
  },
  'call.internal.answered': {
    type: 'call.internal.answered',
    ...ofCall(4, at('20:58:06.730'), answered(toCarol, at('20:58:06.730')), { user: carol }),
  },
  'call.missed': {
    type: 'call.missed',
    ...ofCall(5, at('20:41:05.530'), mobileMissed, { user: alice }),
    reached: 'voicemail',
  },
  'call.transferred': {
    type: 'call.transferred',
    ...ofCall(10, at('20:17:10.480'), annaAnswered, { user: alice, ...inSales }),
    transfer: { kind: 'blind', by: alice, to: '203', merged_uuid: null },
  },
  'call.ended': {
    type: 'call.ended',
    ...ofCall(17, at('20:19:30.060'), annaEnded, { user: alice, ...inSales }),
    legs: annaLegs,
  },
  'ivr.received': {
    type: 'ivr.received',
    ...ofCall(3, at('20:14:41.214'), fromAnna, {}),
    ivr: { name: 'main', option: null },
  },
  'ivr.option_selected': {
    type: 'ivr.option_selected',
    ...ofCall(4, at('20:14:46.830'), fromAnna, {}),
    ivr: { name: 'main', option: '3', valid: true },
  },
  'user.inbound.ringing': {
    type: 'user.inbound.ringing',
    ...ofCall(7, at('20:15:02.955'), fromAnna, inSales),
    user: alice,
  },
  'user.inbound.answered': {
    type: 'user.inbound.answered',
    ...ofCall(9, at('20:15:04.120'), annaAnswered, inSales),
    user: alice,
  },
  'user.inbound.completed': {
    type: 'user.inbound.completed',
    ...ofCall(11, at('20:17:10.482'), annaAnswered, inSales),
    user: alice,
    part: {
      started_at: at('20:15:02.955'),
      answered_at: at('20:15:04.120'),
      ended_at: at('20:17:10.482'),
      duration: 128,
      talk_duration: 126,
      outcome: 'completed',
    },
  },
  'user.outbound.placed': {
    type: 'user.outbound.placed',
    ...ofCall(2, at('20:52:30.660'), toMobile, {}),
    user: bob,
  },
  'user.outbound.answered': {
    type: 'user.outbound.answered',
    ...ofCall(4, at('20:52:38.905'), mobileAnswered, {}),
    user: bob,
  },
  'user.outbound.completed': {
    type: 'user.outbound.completed',
    ...ofCall(6, at('20:54:11.480'), mobileAnswered, {}),
    user: bob,
    part: {
      started_at: at('20:52:30.660'),
      answered_at: at('20:52:38.905'),
      ended_at: at('20:54:11.480'),
      duration: 101,
      talk_duration: 93,
      outcome: 'completed',
    },
  },
  'queue.call.summary': {
    type: 'queue.call.summary',
    ...ofCall(16, at('20:19:30.060'), annaEnded, { user: alice, ...inSales }),
    queue: {
      name: 'sales',
      outcome: 'completed',
      entered_at: at('20:14:46.835'),
      left_at: at('20:15:04.120'),
      wait_duration: 17,
      position: 1,
      answered_by: alice,
      answered_at: at('20:15:04.120'),
      talk_duration: 126,
      agents_tried: [
        { extension_number: '202', name: 'Bob', attempts: 1, ring_duration: 15, outcome: 'missed' },
        {
          extension_number: '201',
          name: 'Alice',
          attempts: 1,
          ring_duration: 1,
          outcome: 'completed',
        },
      ],
    },
  },
  'ring_group.call.summary': {
    type: 'ring_group.call.summary',
    ...ofCall(9, at('20:32:40.300'), unknownEnded, { user: bob, ...inFrontDesk }),
    ring_group: {
      name: 'front-desk',
      outcome: 'completed',
      entered_at: at('20:31:07.402'),
      ring_duration: 5,
      answered_by: bob,
      answered_at: at('20:31:12.150'),
      talk_duration: 88,
      members_tried: [
        {
          extension_number: '201',
          name: 'Alice',
          attempts: 1,
          ring_duration: 5,
          outcome: 'answered_elsewhere',
        },
        {
          extension_number: '202',
          name: 'Bob',
          attempts: 1,
          ring_duration: 5,
          outcome: 'completed',
        },
      ],
    },
  },
  'voicemail.left': {
    type: 'voicemail.left',
    ...ofCall(4, at('20:41:05.520'), fromMobile, { user: alice }),
    voicemail: {
      mailbox: '201',
      recorded_at: at('20:41:05.520'),
      duration: 21,
      file: 'msg0003.wav',
      audio_url: 'https://pbx.example.com/voicemail/201/msg0003.wav',
    },
  },
  'recording.inbound.completed': {
    type: 'recording.inbound.completed',
    ...ofCall(14, at('20:19:30.050'), annaAnswered, { user: alice, ...inSales }),
    recording: {
      recorded_at: at('20:15:04.120'),
      duration: 266,
      bytes: 4_256_044,
      file: 'in-pbx1-1795378481.2041.wav',
      url: 'https://pbx.example.com/recordings/5f0c1c8e-7f39-5d0a-8b53-64a1d2c30001',
    },
  },
  'recording.outbound.completed': {
    type: 'recording.outbound.completed',
    ...ofCall(5, at('20:54:11.470'), mobileAnswered, { user: bob }),
    recording: {
      recorded_at: at('20:52:30.662'),
      duration: 93,
      bytes: 1_488_044,
      file: 'out-pbx1-1795380750.2077.wav',
      url: 'https://pbx.example.com/recordings/5f0c1c8e-7f39-5d0a-8b53-64a1d2c30004',
    },
  },
  webhook_component_event: {
    type: 'webhook_component_event',
    ...ofCall(2, at('20:14:41.210'), fromAnna, {}),
    component: { name: 'vip-caller', parameters: { tier: 'gold', language: 'en' } },
  },
  'service.link.down': {
    type: 'service.link.down',
    ...ofService('904', at('21:12:09.500')),
    link: { down_since: at('21:12:09.500'), reason: 'The PBX closed the connection.' },
  },
  'service.link.up': {
    type: 'service.link.up',
    ...ofService('905', at('21:13:31.018')),
    link: {
      down_since: at('21:12:09.500'),
      up_at: at('21:13:31.018'),
      backfilled_events: 12,
    },
  },
  'webhook.disabled': {
    type: 'webhook.disabled',
    ...ofService('906', at('21:40:55.730')),
    webhook: {
      id: 'wh_01KANV7B2N9S4XQ6',
      name: 'Billing feed',
      reason: 'gone',
      disabled_at: at('21:40:55.730'),
    },
  },
}
