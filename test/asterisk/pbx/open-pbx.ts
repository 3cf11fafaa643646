/** Opens the PBX of the settings in its argument, says so, and waits to be killed: an Offhook for life.test.ts. */
import { openAsteriskPbx } from '#server/pbx/asterisk/asterisk-pbx.ts'

const quiet = () => {}
await openAsteriskPbx({ ...JSON.parse(process.argv[2] ?? ''), log: { info: quiet, warn: quiet } })
process.stdout.write('open\n')
setInterval(() => {}, 1000)
