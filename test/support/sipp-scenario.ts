/**
 * sipp scenarios written as steps: what a caller or a phone does, one after the other, becomes the XML that sipp
 * plays. One place knows SIP, so a test reads as the story of a call:
 *
 *   callerScenario({ pbx, number: '0301234567', to: '1002' }, [answered, wait(500), press('2'), wait(1500), hangUp])
 */

/** What a step must know to write its SIP messages. */
export interface Dialog {
  /** Port of the PBX on 127.0.0.1. */
  readonly pbxPort: number
  /** Request line target and headers of a request within the dialog, up to CSeq. */
  readonly request: (method: string) => string
  /** Headers From (with tag) of the first INVITE, for a caller; the number for a phone. */
  readonly own: string
  /** A label that no other step of the scenario uses. */
  readonly label: () => number
}
export type Step = (dialog: Dialog) => string

const sdp = `v=0
o=sipp 53655765 2353687637 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
`
const withSdp = `Content-Type: application/sdp
Content-Length: [len]

${sdp}`
const noBody = 'Content-Length: 0\n'
const allow = `Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, INFO, REFER, UPDATE
Supported: replaces`
const via = 'Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]'
const ownContact = 'Contact: <sip:[local_ip]:[local_port];transport=[transport]>'

const send = (message: string, attributes = '') =>
  `<send${attributes}><![CDATA[\n${message}\n]]></send>\n`
/** Sent again until it is answered: UDP loses packets on a busy machine. */
const sendReliably = (message: string) => send(message, ' retrans="500"')
const receive = (what: string, attributes = '') => `<recv ${what}${attributes}/>\n`
const response = (code: number, attributes = '') => receive(`response="${code}"`, attributes)
const pause = (ms: number) => `<pause milliseconds="${ms}"/>\n`
/** The end of every scenario: a repetition of the last request may still come and is answered again. */
const linger = '<timewait milliseconds="200"/>\n'

const okReply = `SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
${noBody}`

/** A final or provisional reply to the INVITE that a phone received. */
const inviteReply = (status: string, more: string) => `SIP/2.0 ${status}
[last_Via:]
[last_From:]
[last_To:];tag=[pid]P[call_number]
[last_Call-ID:]
[last_CSeq:]
${more}`

const provisional = [100, 180, 181, 183].map((code) => response(code, ' optional="true"')).join('')

/** Nothing happens for so many milliseconds. */
export const wait =
  (ms: number): Step =>
  () =>
    pause(ms)

/** The other side answers the call; a caller that is still not answered after 60 s fails. */
export const answered: Step = ({ own }) =>
  provisional +
  response(200, ' rrs="true" timeout="60000"') +
  send(`ACK [next_url] SIP/2.0
${via}
${own}
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
${noBody}`)

/** Presses one key (SIP INFO). */
export const press =
  (key: string): Step =>
  ({ request }) =>
    sendReliably(`${request('INFO')}
Content-Type: application/dtmf-relay
Content-Length: [len]

Signal=${key}
Duration=160
`) + response(200)

/** Presses keys one after the other, as fast as a person does. */
export const dial =
  (keys: string): Step =>
  (dialog) =>
    [...keys].map((key) => press(key)(dialog) + pause(250)).join('')

/** Speaks (a tone, RTP) from here to the end of the call. */
export const speak: Step = () => '<nop><action><exec rtp_stream="tone.ulaw,-1,0"/></action></nop>\n'

export const hangUp: Step = ({ request }) =>
  sendReliably(`${request('BYE')}\n${noBody}`) + response(200)

/** Waits until the other side hangs up; keys that it presses meanwhile are taken. */
export const awaitHangUp: Step = ({ label }) => {
  const [listen, info, end] = [label(), label(), label()]
  return (
    `<label id="${listen}"/>\n` +
    receive('request="INFO"', ` optional="true" next="${info}"`) +
    receive('request="BYE"', ` next="${end}"`) +
    `<label id="${info}"/>\n` +
    send(okReply, ` next="${listen}"`) +
    `<label id="${end}"/>\n` +
    send(okReply)
  )
}

/** Takes NOTIFYs about a transfer until none comes for 700 ms. */
function takeNotifies(label: () => number): string {
  const [listen, quiet] = [label(), label()]
  return (
    `<label id="${listen}"/>\n` +
    receive('request="NOTIFY"', ` timeout="700" ontimeout="${quiet}"`) +
    send(okReply, ` next="${listen}"`) +
    `<label id="${quiet}"/>\n`
  )
}

/** Takes NOTIFYs about a transfer until the PBX ends the second line; the last of them may come after that. */
function takeNotifiesUntilBye(label: () => number): string {
  const [listen, notified, ended] = [label(), label(), label()]
  return (
    `<label id="${listen}"/>\n` +
    receive('request="NOTIFY"', ` optional="true" next="${notified}"`) +
    receive('request="BYE"', ` next="${ended}"`) +
    `<label id="${notified}"/>\n` +
    send(okReply, ` next="${listen}"`) +
    `<label id="${ended}"/>\n` +
    send(okReply) +
    takeNotifies(label)
  )
}

const refer = (dialog: Dialog, target: string) =>
  sendReliably(`${dialog.request('REFER')}
Refer-To: <${target}>
Referred-By: <sip:transferrer@127.0.0.1:${dialog.pbxPort}>
${noBody}`) + response(202)

/** Transfers the other side blind (SIP REFER) and leaves. */
export const transferTo =
  (to: string): Step =>
  (dialog) =>
    refer(dialog, `sip:${to}@127.0.0.1:${dialog.pbxPort}`) +
    takeNotifies(dialog.label) +
    hangUp(dialog)

/**
 * Calls `to` on a second line as `user`, talks for `talkMs`, and joins both calls (REFER with Replaces). For a phone
 * that was called; the part of the Call-ID before /// makes it the second dialog of the same sipp call.
 */
export const consultAndTransferTo =
  (to: string, user: string, talkMs: number): Step =>
  (dialog) => {
    const headers = (method: string, toHeader: string) => `${via}
From: <sip:${user}@[local_ip]:[local_port]>;tag=[pid]C[call_number]
${toHeader}
Call-ID: consult///[call_id]
CSeq: 1 ${method}
Max-Forwards: 70`
    const target = `sip:${to}@127.0.0.1:${dialog.pbxPort}`
    const replaces =
      'Replaces=consult%2F%2F%2F[call_id]%3Bto-tag%3D[$consulttag]%3Bfrom-tag%3D[pid]C[call_number]'
    return (
      sendReliably(`INVITE ${target} SIP/2.0
${headers('INVITE', `To: <${target}>`)}
Contact: <sip:${user}@[local_ip]:[local_port]>
${allow}
${withSdp}`) +
      provisional +
      `<recv response="200" timeout="60000"><action>
<ereg regexp="sip:[^>]*" search_in="hdr" header="Contact:" check_it="true" assign_to="consultcontact"/>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="consultto"/>
<ereg regexp="tag=([-0-9a-zA-Z]*)" search_in="hdr" header="To:" check_it="true" assign_to="wholetag,consulttag"/>
</action></recv>
<Reference variables="wholetag"/>
` +
      send(`ACK [$consultcontact] SIP/2.0
${headers('ACK', 'To:[$consultto]')}
${noBody}`) +
      pause(talkMs) +
      refer(dialog, `${target}?${replaces}`) +
      takeNotifiesUntilBye(dialog.label) +
      hangUp(dialog)
    )
  }

/** Gives up `ms` after the first ringing. */
export const cancelWhileRinging =
  (ms: number): Step =>
  (dialog) =>
    response(100, ' optional="true"') + response(180) + pause(ms) + cancelled(dialog)

const cancelled = ({ own }: Dialog) => {
  const request = (method: string, to: string) => `${method} [$target] SIP/2.0
[last_Via:]
${own}
${to}
Call-ID: [call_id]
CSeq: 1 ${method}
Max-Forwards: 70
${noBody}`
  const ringing = response(180, ' optional="true"')
  return (
    sendReliably(request('CANCEL', 'To: <[$target]>')) +
    ringing +
    response(200) +
    ringing +
    response(487) +
    send(request('ACK', '[last_To:]'))
  )
}

/** The PBX refuses the call with one of these SIP codes, and with no other. */
export const refusedWith =
  (...codes: readonly [number, ...number[]]): Step =>
  ({ own, label }) => {
    const end = label()
    const [last, ...others] = codes.toReversed()
    return (
      provisional +
      others.map((code) => response(code, ` optional="true" next="${end}"`)).join('') +
      response(last ?? 0, ' timeout="60000"') +
      `<label id="${end}"/>\n` +
      send(`ACK [$target] SIP/2.0
[last_Via:]
${own}
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
${noBody}`)
    )
  }

/** A phone rings for `ms` and answers. */
export const ringThenAnswer =
  (ms: number): Step =>
  () =>
    send(inviteReply('180 Ringing', `${ownContact}\n${noBody}`)) +
    pause(ms) +
    sendReliably(inviteReply('200 OK', `${ownContact}\n${allow}\n${withSdp}`)) +
    receive('request="ACK"')

/** A phone rings until the PBX takes the call away from it. */
export const ringUntilCancelled: Step = () =>
  send(inviteReply('180 Ringing', `${ownContact}\n${noBody}`)) +
  receive('request="CANCEL"', ' timeout="60000"') +
  send(inviteReply('200 OK', noBody)) +
  sendReliably(`SIP/2.0 487 Request Terminated
Via:[$invitevia]
[last_From:]
[last_To:];tag=[pid]P[call_number]
[last_Call-ID:]
CSeq: [$invitecseq]
${noBody}`) +
  receive('request="ACK"')

/** A phone refuses: `rejectWith('486 Busy Here')`. */
export const rejectWith =
  (status: string): Step =>
  () =>
    sendReliably(inviteReply(status, noBody)) + receive('request="ACK"')

/** A phone sends the caller elsewhere (302). */
export const redirectTo =
  (number: string): Step =>
  () =>
    sendReliably(
      inviteReply(
        '302 Moved Temporarily',
        `Contact: <sip:${number}@[local_ip]:[local_port]>\n${noBody}`,
      ),
    ) + receive('request="ACK"')

function scenario(name: string, body: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="${name}">\n${body}</scenario>\n`
}

/** The dialog part that callers and phones share; CSeq counts up from 2, for 1 is the INVITE. */
function dialogOf(pbxPort: number, own: string, headers: string, target: string): Dialog {
  let cseq = 1
  let labels = 0
  return {
    pbxPort,
    own,
    request(method) {
      cseq += 1
      return `${method} ${target} SIP/2.0
${via}
${headers}
Call-ID: [call_id]
CSeq: ${cseq} ${method}
${ownContact}
Max-Forwards: 70`
    },
    label() {
      labels += 1
      return labels
    },
  }
}

export interface CallerSetup {
  readonly pbxPort: number
  /** The number or extension that calls, as it stands in From. */
  readonly number: string
  readonly name?: string
  /** What is dialled. */
  readonly to: string
  /** Further header lines of the INVITE: `X-Lead-Id: 17`. */
  readonly headers?: readonly string[]
}

/** Text as a quoted string of a SIP header. */
function quoted(text: string): string {
  // sipp would take it for one of its keywords, and knows no way to write a plain one.
  if (text.includes('[')) throw new Error(`sipp cannot send a [ in a name: ${text}`)
  return `"${text.replaceAll(/["\\]/g, (c) => `\\${c}`)}" `
}

/** The scenario of somebody who calls. */
export function callerScenario(setup: CallerSetup, steps: readonly Step[]): string {
  const display = setup.name === undefined ? '' : quoted(setup.name)
  const from = `From: ${display}<sip:${setup.number}@[local_ip]:[local_port]>;tag=[pid]A[call_number]`
  const target = `sip:${setup.to}@127.0.0.1:${setup.pbxPort}`
  const to = `To: <${target}>`
  const dialog = dialogOf(setup.pbxPort, from, `${from}\n${to}[peer_tag_param]`, '[next_url]')
  const invite = sendReliably(`INVITE ${target} SIP/2.0
${via}
${from}
${to}
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:${setup.number}@[local_ip]:[local_port]>
Max-Forwards: 70
${[...(setup.headers ?? []), allow].join('\n')}
${withSdp}`)
  const body = steps.map((step) => step(dialog)).join('')
  return scenario('caller', invite + body.replaceAll('[$target]', target) + linger)
}

/** What a phone writes to its log when it has gone through all steps of a call. */
export const callDone = 'call done'

/**
 * The scenario of a phone, or of the carrier, that is called. Like any phone it also takes the NOTIFYs about messages
 * in its mailbox and the OPTIONS that a PBX sends: for sipp each of these is a call of its own, so calls are counted by
 * the line `callDone` in the log.
 */
export function phoneScenario(pbxPort: number, steps: readonly Step[]): string {
  const headers = 'From:[$inviteto];tag=[pid]P[call_number]\nTo:[$invitefrom]'
  const dialog = dialogOf(pbxPort, '', headers, '[$invitecontact]')
  const remember = (regexp: string, header: string, variable: string) =>
    `<ereg regexp="${regexp}" search_in="hdr" header="${header}:" assign_to="${variable}"/>\n`
  const [chatter, end] = [dialog.label(), dialog.label()]
  return scenario(
    'phone',
    `${receive('request="NOTIFY"', ` optional="true" next="${chatter}"`)}\
${receive('request="OPTIONS"', ` optional="true" next="${chatter}"`)}\
<recv request="INVITE" rrs="true"><action>
${remember('sip:[^>]*', 'Contact', 'invitecontact')}${remember('.*', 'From', 'invitefrom')}\
${remember('.*', 'To', 'inviteto')}${remember('.*', 'Via', 'invitevia')}\
${remember('[0-9]+ INVITE', 'CSeq', 'invitecseq')}</action></recv>
<Reference variables="invitecontact,invitefrom,inviteto,invitevia,invitecseq"/>
${steps.map((step) => step(dialog)).join('')}\
<nop next="${end}"><action><log message="${callDone}"/></action></nop>
<label id="${chatter}"/>
${send(okReply)}<label id="${end}"/>
${linger}`,
  )
}

/** The scenario of a phone that registers its contact, with digest authentication, for a minute. */
export function registerScenario(
  pbxPort: number,
  user: string,
  secret: string,
  contactPort: number,
): string {
  const register = (cseq: number, credentials: string) =>
    sendReliably(`REGISTER sip:127.0.0.1:${pbxPort} SIP/2.0
${via}
From: <sip:${user}@127.0.0.1>;tag=[pid]R[call_number]
To: <sip:${user}@127.0.0.1>
Call-ID: [call_id]
CSeq: ${cseq} REGISTER
Contact: <sip:${user}@[local_ip]:${contactPort}>;expires=60
${credentials}Max-Forwards: 70
${noBody}`)
  return scenario(
    'register',
    register(1, '') +
      response(401, ' auth="true"') +
      register(2, `[authentication username=${user} password=${secret}]\n`) +
      response(200),
  )
}
