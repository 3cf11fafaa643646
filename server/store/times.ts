/** Epoch milliseconds → ISO 8601, as JSON has it. */
export function isoOf(at: number): string {
  return new Date(at).toISOString()
}

export function isoOrNull(at: number | null): string | null {
  return at === null ? null : isoOf(at)
}
