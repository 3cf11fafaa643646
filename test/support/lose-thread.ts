/** Loaded with `--import` into an Offhook: SIGUSR2 makes it lose the thread of its database, as a crash of it would. */
import { isMainThread, type Worker } from 'node:worker_threads'

if (isMainThread) {
  const workers: Worker[] = []
  process.on('worker', (worker) => workers.push(worker))
  process.on('SIGUSR2', () => void workers.at(0)?.terminate())
}
