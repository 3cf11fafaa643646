/**
 * `durable`: the commit returns after the disk has it (fsync). `relaxed`: the commit survives a kill of the process
 * but not a power cut; for what is done again when it is lost, such as leases.
 */
export type Durability = 'durable' | 'relaxed'
