/** Milliseconds of the monotonic clock that all processes of one machine share (`performance.now()` begins with each). */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6
