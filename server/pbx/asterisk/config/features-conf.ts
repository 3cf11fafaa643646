import type { PbxDocument } from '#contracts/pbx.ts'
import { section } from '#server/pbx/asterisk/config/site.ts'

export const featuresConf = (document: PbxDocument): string => {
  const codes = document.feature_codes
  return [
    section('general', [
      ['transferdigittimeout', 3],
      ['featuredigittimeout', 1500],
      ['atxfernoanswertimeout', 15],
    ]),
    `[featuremap]\nblindxfer => ${codes.blind_transfer}\natxfer => ${codes.attended_transfer}\n`,
  ].join('\n')
}
