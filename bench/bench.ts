/** What a bench is to the command and to the table. */
export interface Bench {
  readonly name: string
  /** One line for the table. */
  readonly title: string
  /** What the figure is meant to reach, for the table: `>= 0.6`. */
  readonly reach: string
  readonly run: (options: BenchOptions) => Promise<BenchResult>
}

export interface BenchOptions {
  /** Under 50 s; rougher. */
  readonly quick: boolean
  /** A line for whoever watches. */
  readonly tell: (line: string) => void
}

export interface BenchResult {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly details: Readonly<Record<string, unknown>>
}
