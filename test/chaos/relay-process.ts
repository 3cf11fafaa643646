/** A relay in a network namespace of its own: `node relay-process.ts <from> <to>`. Says "ready"; ends with its input. */
import { type Place, startRelay } from '#test/support/relay.ts'

const [from = '', to = ''] = process.argv.slice(2)
const placeOf = (text: string): Place => (/^\d+$/.test(text) ? Number(text) : text)
await startRelay(placeOf(from), placeOf(to))
process.stdout.write('ready\n')
process.stdin.on('end', () => process.exit()).resume()
