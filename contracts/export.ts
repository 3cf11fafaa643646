/**
 * The columns of CSV exports, as paths into one item of the list; what stands there and is no plain value is written as
 * JSON. NDJSON has the items whole.
 */
export const exportColumns = {
  deliveries: [
    'id',
    'webhook_id',
    'event_id',
    'event_type',
    'call_uuid',
    'state',
    'held_because',
    'origin',
    'attempts',
    'resends',
    'due_at',
    'created_at',
    'finished_at',
  ],
  attempts: [
    'id',
    'delivery_id',
    'webhook_id',
    'event_id',
    'number',
    'resend',
    'started_at',
    'ok',
    'status_code',
    'error',
    'error_detail',
    'decision',
    'next_try_at',
    'duration_ms',
    'timings.dns_ms',
    'timings.connect_ms',
    'timings.tls_ms',
    'timings.first_byte_ms',
    'remote_address',
    'http_version',
    'method',
    'url',
    'request_headers',
    'request_body',
    'response_headers',
    'response_body',
    'response_truncated',
  ],
  events: [
    'id',
    'type',
    'occurred_at',
    'sequence',
    'backfilled',
    'service.uuid',
    'service.friendly_name',
    'call.uuid',
    'call.direction',
    'call.source.number',
    'call.source.raw',
    'call.source.name',
    'call.destination.number',
    'call.destination.raw',
    'call.destination.name',
    'user.extension_number',
    'user.name',
    'queue.name',
    'ring_group.name',
    'ivr.name',
    'ivr.option',
    'call.started_at',
    'call.answered_at',
    'call.ended_at',
    'call.talker',
    'call.status',
    'call.duration',
    'call.bill_duration',
    'call.hangup.cause',
    'call.hangup.text',
  ],
} as const satisfies Record<string, readonly string[]>

export type ExportName = keyof typeof exportColumns

/** How a list answers: a page as JSON, or all of it as a stream. */
export const listFormats = ['json', 'csv', 'ndjson'] as const
export type ListFormat = (typeof listFormats)[number]

export const formatTypes = {
  json: 'application/json',
  csv: 'text/csv',
  ndjson: 'application/x-ndjson',
} as const satisfies Record<ListFormat, string>
