/** The audio of a PBX as the rest of Offhook asks for it; `products.ts` opens it. */
import type { FileHandle } from 'node:fs/promises'

/** Audio that an event told of. All text in it comes from the record of the PBX, which strangers write into. */
export type WantedAudio =
  | { readonly kind: 'recording'; readonly file: string; readonly startedAt: number }
  | {
      readonly kind: 'voicemail'
      readonly mailbox: string
      readonly file: string
      /** When the message was complete, epoch ms. */
      readonly leftAt: number
      /** Seconds; null: the PBX did not tell. */
      readonly duration: number | null
      /** Who left it, as the PBX had it. */
      readonly caller: string | null
    }

/** An open file, for the caller to close. */
export interface OpenAudio {
  readonly handle: FileHandle
  readonly name: string
  readonly mediaType: string
  readonly bytes: number
  /** Epoch ms. */
  readonly modifiedAt: number
}

/**
 * Why there is none. `not_named`: nobody said where this PBX keeps it. `gone`: it is not there any more. `unreachable`:
 * its folder cannot be read by this process, or does not answer.
 */
export type NoAudio = 'not_named' | 'gone' | 'unreachable'
