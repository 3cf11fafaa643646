/** The PBX document of the demo: a head office in Australia. Tests place their calls on it, too. */
import { PbxDocument } from '#contracts/pbx.ts'

/** Where the phones and the carrier are: the demo world's, or a test's own. */
export interface DemoAddresses {
  /** Where outbound calls go. */
  readonly carrierPort: number
  /** Addresses that the carrier's calls come from, `127.0.0.1:port`. */
  readonly carrierMatch: readonly string[]
  /** Where the phones of 201, 202 and 203 listen; one port may serve several. */
  readonly phonePorts: { readonly 201: number; readonly 202: number; readonly 203: number }
  /** Password by which 204 registers. */
  readonly registeringSecret: string
  /** A carrier that nobody answers for; null: there is none. */
  readonly deadPort?: number
}

const local = '127.0.0.1'

/**
 * | number | leads to                          | | number | leads to                  |
 * | ------ | --------------------------------- | | ------ | ------------------------- |
 * | 1001   | Alice (201), then her voicemail   | | 1006   | Carol (203), forwarded out |
 * | 1002   | IVR main: 1 Alice 2 Bob 3 sales   | | 1007   | Alice, no voicemail       |
 * | 1003   | queue sales: Alice, then Bob      | | 1008   | Dave (204), who registers |
 * | 1004   | ring group 600: 201, 202, 203     | | 1009   | component, then Alice     |
 * | 1005   | Alice, recorded                   | | 1011   | Bob (202), no voicemail   |
 *
 * Inside: 600 the ring group, 700 the queue, 800 the IVR; 0… goes out and is recorded, 8… goes out, 9… out by a
 * carrier that is dead.
 */
export function demoPbxDocument(addresses: DemoAddresses): PbxDocument {
  return PbxDocument.parse({
    name: 'headoffice',
    default_ring_seconds: 8,
    users: users(addresses),
    numbers: numbers(),
    trunks: [
      {
        name: 'trunk',
        host: local,
        port: addresses.carrierPort,
        match: [...addresses.carrierMatch],
      },
      { name: 'deadtrunk', host: local, port: addresses.deadPort ?? 9 },
    ],
    outbound_routes: [
      { prefix: '0', trunk: 'trunk', recording: true },
      { prefix: '+', trunk: 'trunk', recording: true },
      { prefix: '8', trunk: 'trunk' },
      { prefix: '9', trunk: 'deadtrunk' },
    ],
    ivrs: [
      {
        name: 'main',
        options: {
          1: { type: 'user', extension_number: '201', voicemail: false },
          2: { type: 'user', extension_number: '202', voicemail: false },
          3: { type: 'queue', name: 'sales' },
        },
        response_seconds: 2,
        digit_seconds: 1,
      },
    ],
    queues: [
      {
        name: 'sales',
        extension: '700',
        strategy: 'linear',
        members: ['201', '202'],
        member_ring_seconds: 4,
        max_wait_seconds: 14,
      },
    ],
    ring_groups: [{ name: '600', extension: '600', members: ['201', '202', '203'] }],
    components: [
      {
        name: 'vip-caller',
        parameters: { node: '17', note: 'a, b' },
        next: { type: 'user', extension_number: '201', voicemail: false },
      },
    ],
    virtual_extensions: [{ extension: '800', destination: { type: 'ivr', name: 'main' } }],
  })
}

const users = ({ phonePorts, registeringSecret }: DemoAddresses) => [
  {
    uuid: '5c1f0e52-6f0a-4c3e-9d57-2f6f1a3b0201',
    extension_number: '201',
    name: 'Alice',
    contact: { host: local, port: phonePorts[201] },
    outbound_phone_number: '+61290001001',
    has_voicemail: true,
    voicemail_pin: '1234',
  },
  {
    uuid: '5c1f0e52-6f0a-4c3e-9d57-2f6f1a3b0202',
    extension_number: '202',
    name: 'Bob',
    contact: { host: local, port: phonePorts[202] },
    outbound_phone_number: '+61290001002',
    has_voicemail: true,
    voicemail_pin: '1234',
  },
  {
    uuid: '5c1f0e52-6f0a-4c3e-9d57-2f6f1a3b0203',
    extension_number: '203',
    name: 'Carol',
    contact: { host: local, port: phonePorts[203] },
    outbound_phone_number: '+61290001003',
    enabled_calls: ['Local' as const, 'National' as const],
    // On her way: her calls go to her mobile. As a member of the ring group her phone rings all the same.
    forward_to: '01609999',
    has_voicemail: true,
    voicemail_pin: '1234',
  },
  {
    uuid: '5c1f0e52-6f0a-4c3e-9d57-2f6f1a3b0204',
    extension_number: '204',
    name: 'Dave',
    secret: registeringSecret,
    outbound_phone_number: '+61290001004',
  },
]

const user = (extension: string, voicemail = false) =>
  ({ type: 'user', extension_number: extension, voicemail }) as const

const numbers = () => [
  { ...did('1001', 'Alice'), destination: user('201', true) },
  { ...did('1002', 'Main line'), destination: { type: 'ivr', name: 'main' } as const },
  { ...did('1003', 'Sales'), destination: { type: 'queue', name: 'sales' } as const },
  { ...did('1004', 'Reception'), destination: { type: 'ring_group', name: '600' } as const },
  { ...did('1005', 'Alice, recorded'), destination: user('201'), recording: true },
  { ...did('1006', 'Carol, on her way'), destination: user('203') },
  { ...did('1007', 'Alice, direct'), destination: user('201') },
  { ...did('1008', 'Dave'), destination: user('204') },
  { ...did('1009', 'VIP line'), destination: { type: 'component', name: 'vip-caller' } as const },
  { ...did('1011', 'Bob'), destination: user('202') },
]

const did = (digits: string, label: string) => ({ did: digits, number: `+6129000${digits}`, label })
