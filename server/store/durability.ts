/**
 * `durable`: the commit returns after the disk has it (fsync). `soon`: it returns when it survives a kill of the process,
 * the disk is told at once, and `Store.onDisk` returns after it has it; on PostgreSQL the same as `durable`. `relaxed`:
 * it survives a kill but not a power cut; for what is done again when it is lost, such as leases.
 */
export type Durability = 'durable' | 'soon' | 'relaxed'
