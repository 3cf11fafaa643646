import { agentHelp, runAgentCommand } from '#server/cli/agent.ts'
import { cancelHelp, runCancel } from '#server/cli/cancel.ts'
import type { Command } from '#server/cli/command.ts'
import { attemptsHelp, deliveriesHelp, runAttempts, runDeliveries } from '#server/cli/deliveries.ts'
import { demoHelp, runDemo } from '#server/cli/demo.ts'
import { deriveHelp, runDerive } from '#server/cli/derive.ts'
import { eventsHelp, runEvents } from '#server/cli/events.ts'
import { explainHelp, runExplain } from '#server/cli/explain.ts'
import { keysHelp, runKeys } from '#server/cli/keys.ts'
import { recoverHelp, replayHelp, runRecover, runReplay } from '#server/cli/recover.ts'
import { resendHelp, runResend } from '#server/cli/resend.ts'
import { runStart, startHelp } from '#server/cli/start.ts'
import { runWebhooks, webhooksHelp } from '#server/cli/webhooks.ts'

/** Every command of `offhook`, in the order of the help. */
export const commands: Readonly<Record<string, Command>> = {
  start: {
    summary: 'Start the server and the PBXs that it manages; Ctrl-C stops all of it.',
    help: startHelp,
    run: runStart,
  },
  demo: {
    summary: 'Show real calls arriving as verified webhooks; takes about a minute.',
    help: demoHelp,
    endsWithTerminal: true,
    run: runDemo,
  },
  derive: {
    summary: 'Print the events that a CEL file gives, as NDJSON; sends nothing.',
    help: deriveHelp,
    run: runDerive,
  },
  agent: {
    summary: 'Ship the record of the PBX on this machine to a server on another one.',
    help: agentHelp,
    run: runAgentCommand,
  },
  webhooks: {
    summary: 'List webhooks with their health; enable and disable them.',
    help: webhooksHelp,
    run: runWebhooks,
  },
  events: {
    summary: 'Search events by number, call, PBX, type and time, also those that fired nothing.',
    help: eventsHelp,
    run: runEvents,
  },
  deliveries: {
    summary: 'Search deliveries by number, call, webhook, state and more; also as CSV.',
    help: deliveriesHelp,
    run: runDeliveries,
  },
  attempts: {
    summary: 'Search the attempts of deliveries the same way.',
    help: attemptsHelp,
    run: runAttempts,
  },
  explain: {
    summary: 'Why did this event not fire? What became of it at each webhook.',
    help: explainHelp,
    run: runExplain,
  },
  resend: {
    summary: 'Send deliveries that ended again.',
    help: resendHelp,
    run: runResend,
  },
  recover: {
    summary: 'Send again all deliveries of a webhook that were given up since a time.',
    help: recoverHelp,
    run: runRecover,
  },
  replay: {
    summary: 'Deliver the events that matched a webhook and never became a delivery.',
    help: replayHelp,
    run: runReplay,
  },
  cancel: {
    summary: 'Cancel deliveries that wait.',
    help: cancelHelp,
    run: runCancel,
  },
  keys: {
    summary: 'Make, list and revoke API keys.',
    help: keysHelp,
    run: runKeys,
  },
}

/** What `offhook --help` prints. */
export function helpText(): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length))
  const lines = Object.entries(commands).map(
    ([name, { summary }]) => `  ${name.padEnd(width)}   ${summary}`,
  )
  return [
    'offhook <command> [options]',
    '',
    ...lines,
    '',
    '"offhook <command> --help" says more. Settings are environment variables: docs/configuration.md.',
    '',
  ].join('\n')
}
