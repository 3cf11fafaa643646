/** The settings of a webhook made no request of an event: an attempt that failed before it left. The message is for a person. */
export class NotRenderedError extends Error {
  override readonly name = 'NotRenderedError'
}
