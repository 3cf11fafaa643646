import { z } from 'zod'

export const Health = z.object({ status: z.literal('ok') }).meta({ id: 'Health' })
export const Readiness = z
  .object({
    status: z.literal('ok'),
    node: z.string().meta({ description: 'Id of this process among those on the database.' }),
    services: z
      .array(z.uuid())
      .meta({ description: 'UUIDs of the services whose PBXs this process captures.' }),
  })
  .meta({ id: 'Readiness' })
