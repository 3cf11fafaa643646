/** Epoch milliseconds, fractions allowed, → ISO 8601 UTC with milliseconds, as JSON has it. */
export function isoOf(at: number): string {
  return new Date(Math.floor(at)).toISOString()
}

export function isoOrNull(at: number | null): string | null {
  return at === null ? null : isoOf(at)
}
