/** Phones and carriers: `pjsip.conf`, and `pjsip_transport.conf` with the part that no reload touches. */
import type { PbxDocument, PbxTrunk, PbxUser } from '#contracts/pbx.ts'
import { displayName, type PbxSite, section } from '#server/pbx/asterisk/config/site.ts'

/** Transports and timers are read at boot only; a file of their own makes a change of them visible. */
export const pjsipTransportConf = (site: PbxSite): string =>
  [
    section('offhook-system', [
      ['type', 'system'],
      // A dead carrier is told to the caller after 16 s, not after the RFC's 32.
      ['timer_t1', 250],
      ['timer_b', 16_000],
    ]),
    section('offhook-udp', [
      ['type', 'transport'],
      ['protocol', 'udp'],
      ['bind', `${site.sip.host}:${site.sip.port}`],
    ]),
  ].join('\n')

export const pjsipConf = (document: PbxDocument): string =>
  [
    '#include "pjsip_transport.conf"\n',
    section('offhook-global', [
      ['type', 'global'],
      // A carrier may send any caller number, also one that is an extension here: its address decides first.
      ['endpoint_identifier_order', 'ip,username,auth_username'],
      ['user_agent', 'Offhook PBX'],
    ]),
    ...document.trunks.map(trunk),
    ...document.users.map(user),
  ].join('\n')

function trunk(t: PbxTrunk): string {
  const credentials = t.username !== null && t.secret !== null
  const parts = [
    section(t.name, [
      ['type', 'endpoint'],
      ['context', 'from-trunk'],
      ['disallow', 'all'],
      ['allow', 'ulaw,alaw'],
      ['aors', t.name],
      ['outbound_auth', credentials ? t.name : null],
      ['from_user', t.registers ? t.username : null],
      ['dtmf_mode', 'auto_info'],
      ['direct_media', 'no'],
      ['trust_id_inbound', 'yes'],
      ['accountcode', t.name],
    ]),
    section(t.name, [
      ['type', 'aor'],
      ['contact', `sip:${t.host}:${t.port}`],
    ]),
  ]
  if (t.match.length > 0) {
    const matches = t.match.map((address) => ['match', address] as const)
    parts.push(section(t.name, [['type', 'identify'], ['endpoint', t.name], ...matches]))
  }
  if (credentials) parts.push(digest(t.name, t.username, t.secret))
  if (t.registers) {
    parts.push(
      section(t.name, [
        ['type', 'registration'],
        ['server_uri', `sip:${t.host}:${t.port}`],
        ['client_uri', `sip:${t.username}@${t.host}:${t.port}`],
        ['contact_user', t.username],
        ['outbound_auth', t.name],
        ['retry_interval', 30],
        // A carrier that refuses once (restart, overload) is asked again, for ever.
        ['max_retries', 1_000_000],
        ['auth_rejection_permanent', 'no'],
      ]),
    )
  }
  return parts.join('\n')
}

function user(u: PbxUser): string {
  const extension = u.extension_number
  const registers = u.contact === null
  const natted = registers ? 'yes' : null
  return [
    section(extension, [
      ['type', 'endpoint'],
      ['context', 'from-users'],
      ['disallow', 'all'],
      ['allow', 'ulaw,alaw'],
      ['aors', extension],
      ['auth', u.secret === null ? null : extension],
      ['callerid', `"${displayName(u.name)}" <${extension}>`],
      ['dtmf_mode', 'auto_info'],
      ['direct_media', 'no'],
      ['rewrite_contact', natted],
      ['rtp_symmetric', natted],
      ['call_group', 1],
      ['pickup_group', 1],
      ['allow_subscribe', 'yes'],
      ['mailboxes', u.has_voicemail ? `${extension}@default` : null],
      ['accountcode', extension],
      ['set_var', `PBX_USER=${extension}`],
      ['set_var', `PBX_CLI=${u.outbound_phone_number ?? ''}`],
      ['set_var', `PBX_REC=${u.recording}`],
      ['set_var', `PBX_OUTBOUND=${u.enabled_calls.length > 0 ? 'yes' : 'no'}`],
    ]),
    section(extension, [
      ['type', 'aor'],
      ...(u.contact
        ? ([['contact', `sip:${extension}@${u.contact.host}:${u.contact.port}`]] as const)
        : ([
            ['max_contacts', 1],
            ['remove_existing', 'yes'],
          ] as const)),
    ]),
    ...(u.secret === null ? [] : [digest(extension, extension, u.secret)]),
  ].join('\n')
}

const digest = (name: string, username: string | null, secret: string | null): string =>
  section(name, [
    ['type', 'auth'],
    ['auth_type', 'userpass'],
    ['username', username],
    ['password', secret],
  ])
