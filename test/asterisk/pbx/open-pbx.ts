/**
 * Opens the PBX of the settings in its first argument, applies the document in the second if there is one, says so, and
 * waits to be killed: an Offhook for life.test.ts.
 */
import { openAsteriskPbx } from '#server/pbx/asterisk/asterisk-pbx.ts'

const quiet = () => {}
const pbx = await openAsteriskPbx({
  ...JSON.parse(process.argv[2] ?? ''),
  log: { info: quiet, warn: quiet },
})
const other = JSON.parse(process.argv[3] ?? 'null')
if (other !== null) await pbx.apply(other)
process.stdout.write('open\n')
setInterval(() => {}, 1000)
