// For `node --import`: the clock of this process is `OTHER_CLOCK_MS` ahead of the machine's, as on another machine.
const ahead = Number(process.env.OTHER_CLOCK_MS)
const now = Date.now
Date.now = () => now() + ahead
