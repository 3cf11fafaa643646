import { z } from 'zod'
import { Timestamp } from '#contracts/events/facts.ts'

const pem = z.string().min(1)

/** What a certificate says, for people who look after it. */
export const CertificateInfo = z
  .object({
    subject: z.string().meta({ description: 'Whom it names, as in CN=crm.example.' }),
    issuer: z.string().meta({ description: 'Who issued it.' }),
    valid_from: Timestamp,
    valid_until: Timestamp,
    fingerprint: z.string().meta({ description: 'SHA-256, as in AB:CD:….' }),
  })
  .meta({ id: 'CertificateInfo' })
export type CertificateInfo = z.infer<typeof CertificateInfo>

export const AuthoritiesDraft = z
  .strictObject({
    certificates: pem.max(262_144).nullable().meta({
      description:
        'Certificates (PEM, one after the other) of authorities whose receivers are trusted beside the usual ones; null: none.',
    }),
  })
  .meta({ id: 'AuthoritiesDraft' })
export type AuthoritiesDraft = z.infer<typeof AuthoritiesDraft>

export const Authorities = z
  .object({
    certificates: pem.nullable().meta({ description: 'As they were given.' }),
    items: z.array(CertificateInfo),
  })
  .meta({ id: 'Authorities' })
export type Authorities = z.infer<typeof Authorities>

export const ClientCertificateDraft = z
  .strictObject({
    certificate: pem.max(65_536).meta({
      description: 'The certificate (PEM), followed by those between it and its authority.',
    }),
    private_key: pem.max(32_768).meta({
      description: 'Its key (PEM, not encrypted). It is stored encrypted and never shown.',
    }),
  })
  .meta({ id: 'ClientCertificateDraft' })
export type ClientCertificateDraft = z.infer<typeof ClientCertificateDraft>
