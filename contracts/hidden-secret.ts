/**
 * Stands where a stored secret is. A change that carries it back, as that of a client does which reads, edits and
 * writes, leaves the secret as it is.
 */
export const hiddenSecret = '********'
