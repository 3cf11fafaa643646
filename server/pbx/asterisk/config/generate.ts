import { createHash } from 'node:crypto'
import type { PbxDocument } from '#contracts/pbx.ts'
import { extensionsConf } from '#server/pbx/asterisk/config/extensions-conf.ts'
import { featuresConf } from '#server/pbx/asterisk/config/features-conf.ts'
import { modulesConf } from '#server/pbx/asterisk/config/modules.ts'
import { pjsipConf, pjsipTransportConf } from '#server/pbx/asterisk/config/pjsip-conf.ts'
import { queuesConf } from '#server/pbx/asterisk/config/queues-conf.ts'
import type { PbxSite } from '#server/pbx/asterisk/config/site.ts'
import * as files from '#server/pbx/asterisk/config/static-files.ts'
import { voicemailConf } from '#server/pbx/asterisk/config/voicemail-conf.ts'

export interface Configuration {
  /** Names the content: the same document on the same site has the same revision. */
  readonly revision: string
  /** Every file that Asterisk reads, by name. */
  readonly files: ReadonlyMap<string, string>
}

/** Module that takes a changed file in; files that are not here need a restart of the PBX. Reloaded in this order. */
export const reloadedBy: ReadonlyMap<string, string> = new Map([
  ['voicemail.conf', 'app_voicemail.so'],
  ['queues.conf', 'app_queue.so'],
  ['features.conf', 'features'],
  ['pjsip.conf', 'res_pjsip.so'],
  ['extensions.conf', 'pbx_config.so'],
])

/** The whole configuration of an Asterisk that is this PBX. Pure: the same input gives the same text. */
export function generateConfiguration(document: PbxDocument, site: PbxSite): Configuration {
  const without = (revision: string) =>
    new Map([
      ['asterisk.conf', files.asteriskConf(document.name, site)],
      ['modules.conf', modulesConf()],
      ['logger.conf', files.loggerConf()],
      ['manager.conf', files.managerConf(site)],
      ['cel.conf', files.celConf()],
      ['cel_custom.conf', files.celCustomConf()],
      ['cdr.conf', files.cdrConf()],
      ['rtp.conf', files.rtpConf(site)],
      ['http.conf', files.httpConf()],
      ['indications.conf', files.indicationsConf()],
      ['musiconhold.conf', files.musicOnHoldConf(site)],
      ...files.emptyFiles.map((name) => [name, ''] as const),
      ['pjsip_transport.conf', pjsipTransportConf(site)],
      ['pjsip.conf', pjsipConf(document)],
      ['queues.conf', queuesConf(document)],
      ['voicemail.conf', voicemailConf(document)],
      ['features.conf', featuresConf(document)],
      ['extensions.conf', extensionsConf(document, revision)],
    ])
  const hash = createHash('sha256')
  for (const [name, text] of without('')) hash.update(`${name}\0${text}\0`)
  const revision = hash.digest('hex').slice(0, 16)
  return { revision, files: without(revision) }
}
