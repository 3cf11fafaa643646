// biome-ignore-all lint/suspicious/noTemplateCurlyInString: ${…} is how the dialplan writes its variables

/** The dialplan: `extensions.conf`. */
import type { PbxDocument } from '#contracts/pbx.ts'
import {
  callExternalContext,
  fromTrunkContext,
  fromUsersContext,
  transferContext,
} from '#server/pbx/asterisk/config/dialplan-callers.ts'
import {
  componentContext,
  ivrContext,
  queueContext,
  ringGroupContext,
} from '#server/pbx/asterisk/config/dialplan-objects.ts'
import { subroutines } from '#server/pbx/asterisk/config/dialplan-subroutines.ts'

/** Read back after a reload: a dialplan with a mistake in it answers "reloaded" all the same. */
export const revisionVariable = 'PBX_CONFIG_REV'

export const extensionsConf = (d: PbxDocument, revision: string): string =>
  [
    '[general]\nstatic = yes\nwriteprotect = yes\nclearglobalvars = yes\n',
    `[globals]\nREC = \${ASTSPOOLDIR}/monitor\n${revisionVariable} = ${revision}\n`,
    fromTrunkContext(d),
    fromUsersContext(d),
    transferContext(d),
    callExternalContext(d),
    ...d.ivrs.map(ivrContext),
    ...d.queues.map(queueContext),
    ...d.ring_groups.map((group) => ringGroupContext(group, d.default_ring_seconds)),
    ...d.components.map(componentContext),
    ...subroutines(d),
  ].join('\n')
