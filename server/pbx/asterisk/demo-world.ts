// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is how the dialplan writes its variables

/**
 * The world around the demo PBX: a carrier and phones, played by a second small Asterisk over loopback SIP. So the
 * demo's calls are real ones, and the PBX's own record holds nothing but what a PBX would see.
 *
 * How a phone or a called number behaves is told by the last digit of the far number: for a phone that is the
 * caller's number, for an outbound call the number called.
 *
 * | last digit | behaviour                                                          |
 * | ---------- | ------------------------------------------------------------------ |
 * | 4          | answers after a second and hangs up after ten more                 |
 * | 5          | answers after a second and hangs up after three more               |
 * | 6          | the phone of 201 rings and does not answer, others answer          |
 * | 7          | busy                                                               |
 * | 8          | rings and does not answer                                          |
 * | 9          | declines                                                           |
 * | other      | answers after a second and talks until the other side hangs up     |
 *
 * Calls between users have no such number; their phones answer.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestCall } from '#contracts/test-call.ts'
import { amiField } from '#server/pbx/asterisk/ami-codec.ts'
import { type AmiLink, openAmiLink } from '#server/pbx/asterisk/ami-link.ts'
import { writeFiles } from '#server/pbx/asterisk/apply-configuration.ts'
import { context, type Extension, type Step } from '#server/pbx/asterisk/config/dialplan-text.ts'
import { modulesConf } from '#server/pbx/asterisk/config/modules.ts'
import { amiUsername, type PbxSite, section } from '#server/pbx/asterisk/config/site.ts'
import * as files from '#server/pbx/asterisk/config/static-files.ts'
import type { DemoAddresses } from '#server/pbx/asterisk/demo-pbx.ts'
import type { AsteriskInstallation } from '#server/pbx/asterisk/find-asterisk.ts'
import {
  instanceFolder,
  managerSecret,
  prepareInstanceFolder,
} from '#server/pbx/asterisk/instance-folder.ts'
import {
  adopt,
  findRunning,
  lastWords,
  startProcess,
  stopProcess,
} from '#server/pbx/asterisk/process.ts'
import { PbxError } from '#server/pbx/pbx-error.ts'

/** As long as a PBX may take. */
const bootTimeoutMs = 60_000

export interface DemoWorldOptions {
  /** Absolute path; made when absent. */
  readonly folder: string
  readonly asterisk: AsteriskInstallation
  /** SIP port of the PBX. */
  readonly pbxPort: number
  readonly carrierPort: number
  readonly phonesPort: number
  readonly amiPort: number
  readonly rtp: { readonly first: number; readonly last: number }
  /** Password by which the phone of 204 registers. */
  readonly registeringSecret: string
}

export interface DemoWorld {
  /** Returns when the call is on its way. */
  placeTestCall(call: TestCall): Promise<void>
  /** Channels of the world that are not over: 0 when every test call has ended. */
  countChannels(): Promise<number>
  /** True when the phone of 204 has registered with the PBX. */
  isRegistered(): Promise<boolean>
  close(): Promise<void>
}

/** The addresses that the demo PBX must be told, so that it finds this world. */
export const addressesOf = (
  o: Pick<DemoWorldOptions, 'carrierPort' | 'phonesPort' | 'registeringSecret'>,
): DemoAddresses => ({
  carrierPort: o.carrierPort,
  carrierMatch: [`127.0.0.1:${o.carrierPort}`],
  phonePorts: { 201: o.phonesPort, 202: o.phonesPort, 203: o.phonesPort },
  registeringSecret: o.registeringSecret,
})

/** Starts the world, anew when an earlier one was left running. Throws PbxError when it does not come up. */
export async function openDemoWorld(options: DemoWorldOptions): Promise<DemoWorld> {
  const folder = instanceFolder(options.folder)
  await prepareInstanceFolder(folder, options.asterisk)
  const left = await findRunning(folder)
  if (left !== null) await stopProcess(adopt(left, folder))
  const secret = await managerSecret(folder)
  await writeFiles(folder, worldFiles(options, secret))
  const world = await startProcess(folder, {
    sip: { host: '127.0.0.1', port: options.phonesPort },
    ami: options.amiPort,
  })
  const link = openAmiLink({
    host: '127.0.0.1',
    port: options.amiPort,
    username: amiUsername,
    secret,
    firstPauseMs: 50,
    longestPauseMs: 1000,
  })
  const close = async () => {
    await link.close()
    await stopProcess(world)
  }
  const enough = new AbortController()
  try {
    await Promise.race([
      isUp(link, enough.signal),
      world.gone.then(async (how) => {
        const said = await lastWords(folder)
        throw new PbxError('start_failed', `The demo phones did not start: ${how}. ${said}`)
      }),
    ])
  } catch (error) {
    await close()
    throw error
  } finally {
    enough.abort()
  }
  return {
    placeTestCall: (call) => place(link, call),
    countChannels: async () => (await link.listChannels()).size,
    isRegistered: async () => {
      const all = await link.client.list('PJSIPShowRegistrationsOutbound')
      return all.some((r) => amiField(r, 'Status') === 'Registered')
    },
    close,
  }
}

async function isUp(link: AmiLink, signal: AbortSignal): Promise<void> {
  const latest = performance.now() + bootTimeoutMs
  while (!link.client.isUp()) {
    if (performance.now() > latest) {
      const seconds = bootTimeoutMs / 1000
      throw new PbxError('start_failed', `The demo phones were not ready after ${seconds} seconds.`)
    }
    await sleep(20, undefined, { signal })
  }
}

async function place(link: AmiLink, call: TestCall): Promise<void> {
  const endpoint = call.from.length === 3 ? `phone-${call.from}` : 'carrier'
  const variables = {
    WORLD_KEYS: call.keys ?? '',
    WORLD_TALK: String(call.talk_seconds ?? 3),
    WORLD_LEAD: call.lead_id ?? '',
  }
  await link.client.action('Originate', {
    // Local: its other half dials, so that a header can be added before the INVITE.
    Channel: `Local/${call.to}@dial-${endpoint}/n`,
    Context: 'caller',
    Exten: 's',
    Priority: '1',
    CallerID: `${call.from_name ?? ''} <${call.from}>`,
    Timeout: String((call.patience_seconds ?? 60) * 1000),
    Async: 'true',
    Variable: Object.entries(variables).map(([name, value]) => `__${name}=${value}`),
  })
}

function worldFiles(options: DemoWorldOptions, secret: string): Map<string, string> {
  const site: PbxSite = {
    folder: options.folder,
    modules: options.asterisk.modules,
    sip: { host: '127.0.0.1', port: options.phonesPort },
    ami: { port: options.amiPort, secret },
    rtp: options.rtp,
  }
  return new Map([
    ['asterisk.conf', files.asteriskConf('demoworld', site)],
    ['modules.conf', modulesConf()],
    ['logger.conf', files.loggerConf()],
    ['manager.conf', files.managerConf(site)],
    ['cel.conf', section('general', [['enable', 'no']])],
    ['cel_custom.conf', files.celCustomConf()],
    ['cdr.conf', files.cdrConf()],
    ['rtp.conf', files.rtpConf(site)],
    ['http.conf', files.httpConf()],
    ['indications.conf', files.indicationsConf()],
    ['musiconhold.conf', files.musicOnHoldConf(site)],
    ['features.conf', ''],
    ['queues.conf', ''],
    ['voicemail.conf', ''],
    ...files.emptyFiles.map((name) => [name, ''] as const),
    ['pjsip.conf', worldPjsip(options)],
    ['extensions.conf', worldDialplan(options)],
  ])
}

/** Two transports: the PBX knows the carrier by its address, and phones by their user name from another address. */
function worldPjsip(options: DemoWorldOptions): string {
  const transport = (name: string, port: number) =>
    section(name, [
      ['type', 'transport'],
      ['protocol', 'udp'],
      ['bind', `127.0.0.1:${port}`],
    ])
  const endpoint = (name: string, transportName: string, auth: string | null) =>
    section(name, [
      ['type', 'endpoint'],
      ['transport', transportName],
      ['context', 'from-pbx'],
      ['disallow', 'all'],
      ['allow', 'ulaw'],
      ['outbound_auth', auth],
      ['dtmf_mode', 'rfc4733'],
      ['direct_media', 'no'],
      ['trust_id_inbound', 'yes'],
    ])
  const pbx = `sip:127.0.0.1:${options.pbxPort}`
  return [
    transport('carrier-line', options.carrierPort),
    transport('phone-line', options.phonesPort),
    endpoint('carrier', 'carrier-line', null),
    ...['201', '202', '203'].map((phone) => endpoint(`phone-${phone}`, 'phone-line', null)),
    endpoint('phone-204', 'phone-line', 'phone-204'),
    section('carrier', [
      ['type', 'identify'],
      ['endpoint', 'carrier'],
      ['match', `127.0.0.1:${options.pbxPort}`],
    ]),
    section('phone-204', [
      ['type', 'auth'],
      ['auth_type', 'userpass'],
      ['username', '204'],
      ['password', options.registeringSecret],
    ]),
    section('phone-204', [
      ['type', 'registration'],
      ['transport', 'phone-line'],
      ['server_uri', pbx],
      ['client_uri', `sip:204@127.0.0.1:${options.pbxPort}`],
      ['contact_user', '204'],
      ['outbound_auth', 'phone-204'],
      // The PBX starts after the world.
      ['retry_interval', 1],
      ['forbidden_retry_interval', 1],
      ['max_retries', 1_000_000],
      ['auth_rejection_permanent', 'no'],
    ]),
  ].join('\n')
}

function worldDialplan(options: DemoWorldOptions): string {
  const behave = (extension: string, steps: readonly Step[]): Extension => ({ extension, steps })
  const rings = ['Ringing()', 'Wait(120)', 'Hangup()']
  const dial = (endpoint: string) =>
    context(`dial-${endpoint}`, [
      behave('_[0-9*#+].', [
        `Dial(PJSIP/${endpoint}/sip:\${EXTEN}@127.0.0.1:${options.pbxPort},,b(lead^s^1))`,
        'Hangup(${HANGUPCAUSE})',
      ]),
    ])
  return [
    context('from-pbx', [
      behave('_20X', [
        'Set(FAR=${IF($[${LEN(${CALLERID(num)})} < 6]?0:${CALLERID(num):-1})})',
        'GotoIf($["${EXTEN} ${FAR}" = "201 6"]?behaviour,8,1)',
        'Goto(behaviour,${FILTER(0-9,${FAR})},1)',
      ]),
      behave('_[0-9+]X.', ['Goto(behaviour,${EXTEN:-1},1)']),
    ]),
    context('behaviour', [
      behave('_[0-36]', ['Ringing()', 'Wait(1)', 'Answer()', 'Echo()', 'Hangup()']),
      behave('4', ['Ringing()', 'Wait(1)', 'Answer()', 'Wait(10)', 'Hangup()']),
      behave('5', ['Ringing()', 'Wait(1)', 'Answer()', 'Wait(3)', 'Hangup()']),
      behave('7', ['Hangup(17)']),
      behave('8', rings),
      behave('9', ['Hangup(21)']),
      // No number at all.
      behave('i', ['Goto(0,1)']),
    ]),
    ...['carrier', 'phone-201', 'phone-202', 'phone-203', 'phone-204'].map(dial),
    context('lead', [
      behave('s', [
        'GotoIf($["${WORLD_LEAD}" = ""]?none)',
        'Set(PJSIP_HEADER(add,X-Lead-Id)=${WORLD_LEAD})',
        { label: 'none', step: 'Return()' },
      ]),
    ]),
    context('caller', [
      behave('s', [
        'Set(TIMEOUT(absolute)=${WORLD_TALK})',
        'GotoIf($["${WORLD_KEYS}" = ""]?speak)',
        'Wait(1.5)',
        'SendDTMF(${WORLD_KEYS},250,160)',
        { label: 'speak', step: 'Playback(demo-congrats)' },
        'Goto(speak)',
      ]),
    ]),
  ].join('\n')
}
