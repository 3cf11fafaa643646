/** Which product a connection speaks of: the one place that knows them all. */
import { join } from 'node:path'
import type { PbxConnection } from '#contracts/service.ts'
import { attachedAsterisk, managedAsterisk } from '#server/pbx/asterisk/asterisk-product.ts'
import type { AsteriskInstallation } from '#server/pbx/asterisk/find-asterisk.ts'
import type { AttachedPbx, ManageablePbx, PbxLog } from '#server/pbx/pbx.ts'

export interface ProductsOptions {
  /** Folder of the managed PBXs, one folder each. */
  readonly folder: string
  /** Finds or gets an Asterisk; asked only when a managed one is to run. */
  readonly asterisk: () => Promise<AsteriskInstallation>
  readonly log: PbxLog
}

/** The PBX that the connection of a service leads to. */
export type PbxOf = (
  serviceUuid: string,
  connection: PbxConnection,
) => Promise<AttachedPbx | ManageablePbx>

export function pbxProducts({ folder, asterisk, log }: ProductsOptions): PbxOf {
  return async (serviceUuid, connection) => {
    switch (connection.kind) {
      case 'asterisk_managed':
        return await managedAsterisk({
          connection,
          folder: join(folder, serviceUuid),
          asterisk,
          log,
        })
      case 'asterisk_attached':
        return attachedAsterisk(connection)
    }
  }
}
