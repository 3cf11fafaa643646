import { route, webhookParams } from '#contracts/route.ts'
import {
  Authorities,
  AuthoritiesDraft,
  CertificateInfo,
  ClientCertificateDraft,
} from '#contracts/tls.ts'

export const tlsRoutes = {
  getClientCertificate: route({
    method: 'GET',
    path: '/api/v1/webhooks/:id/client-certificate',
    tag: 'Webhooks',
    summary: 'Read what the certificate says that a webhook shows to its receiver (mTLS).',
    params: webhookParams,
    answer: CertificateInfo,
    versionOf: CertificateInfo,
    problems: ['not_found'],
  }),

  putClientCertificate: route({
    method: 'PUT',
    path: '/api/v1/webhooks/:id/client-certificate',
    tag: 'Webhooks',
    summary: 'Give a webhook the certificate that it shows to its receiver (mTLS).',
    params: webhookParams,
    body: ClientCertificateDraft,
    answer: CertificateInfo,
    versionOf: CertificateInfo,
    problems: ['not_found'],
  }),

  deleteClientCertificate: route({
    method: 'DELETE',
    path: '/api/v1/webhooks/:id/client-certificate',
    tag: 'Webhooks',
    summary: 'Take the certificate of a webhook away.',
    params: webhookParams,
    status: 204,
    problems: ['not_found'],
  }),

  getAuthorities: route({
    method: 'GET',
    path: '/api/v1/account/authorities',
    tag: 'Account',
    summary: 'Read the authorities whose receivers you trust beside the usual ones.',
    answer: Authorities,
    versionOf: Authorities,
  }),

  putAuthorities: route({
    method: 'PUT',
    path: '/api/v1/account/authorities',
    tag: 'Account',
    summary: 'Replace the authorities whose receivers you trust beside the usual ones.',
    body: AuthoritiesDraft,
    answer: Authorities,
    versionOf: Authorities,
    problems: ['precondition_failed'],
  }),
} as const
