/** Ports of a managed PBX: chosen once, kept in its folder, so that a PBX that goes on without us is found again. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { replaceFile } from '#server/pbx/asterisk/instance-folder.ts'

export interface PbxPorts {
  readonly sip: number
  readonly ami: number
  readonly rtp: { readonly first: number; readonly last: number }
}

/** One call takes two; Asterisk tries the next port where one of them is taken by another program. */
const rtpPortsPerPbx = 400
const firstRtpPort = 20_000
const lastRtpPort = 60_000

/** The ports kept in `folder`, or new free ones; `sip` as asked where it is not null. */
export async function keptPorts(folder: string, sip: number | null): Promise<PbxPorts> {
  const file = join(folder, 'ports.json')
  const kept = await readFile(file, 'utf8').then(
    (text) => JSON.parse(text) as PbxPorts,
    () => null,
  )
  if (kept !== null && (sip === null || kept.sip === sip)) return kept
  const ports: PbxPorts = {
    sip: sip ?? (await freeUdpPort()),
    ami: kept?.ami ?? (await freeTcpPort()),
    rtp: kept?.rtp ?? someRtpRange(),
  }
  await mkdir(folder, { recursive: true })
  await replaceFile(file, `${JSON.stringify(ports)}\n`)
  return ports
}

function someRtpRange(): PbxPorts['rtp'] {
  const ranges = (lastRtpPort - firstRtpPort) / rtpPortsPerPbx
  const first = firstRtpPort + Math.floor(Math.random() * ranges) * rtpPortsPerPbx
  return { first, last: first + rtpPortsPerPbx - 1 }
}

/** A UDP port of 127.0.0.1 that nobody had a moment ago. */
export async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  await new Promise<void>((resolve) => socket.close(resolve))
  return port
}

async function freeTcpPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no TCP port was given')
  return address.port
}
