/** A real little name server (UDP), for names that mean what the test wants, when it wants. */
import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'
import { isIP } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import ipaddr from 'ipaddr.js'

export interface DnsReply {
  /** IPv4 addresses answer questions for A, IPv6 ones those for AAAA; none at all: there is no such name. */
  readonly addresses?: readonly string[]
  /** The addresses are those of this other name. */
  readonly cname?: string
  readonly delayMs?: number
  /** The server says that it failed. */
  readonly fails?: boolean
}

/** What a name is, asked for every question. Null: the server never answers. */
export type DnsZone = (name: string, kind: 'A' | 'AAAA') => DnsReply | null

export interface DnsServer extends AsyncDisposable {
  /** `127.0.0.1:<port>` */
  readonly address: string
  /** As `A name`, in the order of arrival. */
  readonly questions: readonly string[]
}

const types = { 1: 'A', 28: 'AAAA' } as const
const cnameType = 5
const noSuchName = 3
const serverFailed = 2

export async function startDnsServer(zone: DnsZone): Promise<DnsServer> {
  const questions: string[] = []
  const socket = createSocket('udp4')
  socket.on('message', (query, from) => {
    answer(query, from).catch((error: unknown) => socket.emit('error', error))
  })

  async function answer(query: Buffer, { port, address }: RemoteInfo): Promise<void> {
    const { name, end } = readName(query, 12)
    const kind = types[query.readUInt16BE(end) as keyof typeof types]
    if (kind === undefined) return
    questions.push(`${kind} ${name}`)
    const reply = zone(name, kind)
    if (reply === null) return
    if (reply.delayMs !== undefined) await pause(reply.delayMs)
    socket.send(replyTo(query.subarray(0, end + 4), kind, reply), port, address, () => {})
  }

  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return {
    address: `127.0.0.1:${socket.address().port}`,
    questions,
    async [Symbol.asyncDispose]() {
      socket.close()
      await once(socket, 'close')
    },
  }
}

function readName(message: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = []
  let at = start
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.subarray(at + 1, at + 1 + length).toString('latin1'))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 }
}

function replyTo(question: Buffer, kind: 'A' | 'AAAA', reply: DnsReply): Buffer {
  const { addresses = [], cname, fails = false } = reply
  const mine = addresses.filter((address) => isIP(address) === (kind === 'A' ? 4 : 6))
  const owner = cname === undefined ? Buffer.from([0xc0, 12]) : nameBytes(cname)
  const records = mine.map((address) =>
    record(owner, kind === 'A' ? 1 : 28, Buffer.from(ipaddr.parse(address).toByteArray())),
  )
  if (cname !== undefined) {
    records.unshift(record(Buffer.from([0xc0, 12]), cnameType, nameBytes(cname)))
  }
  const header = Buffer.alloc(12)
  header.writeUInt16BE(question.readUInt16BE(0), 0)
  const code = fails ? serverFailed : addresses.length === 0 && cname === undefined ? noSuchName : 0
  // An answer with recursion.
  header.writeUInt16BE(0x8180 | code, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(records.length, 6)
  return Buffer.concat([header, question.subarray(12), ...records])
}

/** With a time to live of 0: it may mean something else the next time. */
function record(owner: Buffer, type: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(type, 0)
  fixed.writeUInt16BE(1, 2)
  fixed.writeUInt32BE(0, 4)
  fixed.writeUInt16BE(data.length, 8)
  return Buffer.concat([owner, fixed, data])
}

function nameBytes(name: string): Buffer {
  const labels = name
    .split('.')
    .flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)])
  return Buffer.concat([...labels, Buffer.from([0])])
}
