import { Type } from 'typebox'
import type { Static } from 'typebox'
import type { JsonObject } from '../base/json.ts'

const Name = Type.String({ minLength: 1 })

const TableSetting = Type.Object(
  {
    database: Name,
    table: Name,
    createTable: Type.Optional(Type.String({ minLength: 1 })),
    definition: Type.Optional(Type.Unsafe<JsonObject>(Type.Object({}))),
  },
  { additionalProperties: false },
)

/** A table that has one of createTable and definition: a file was read. */
export type TableSetting = Static<typeof TableSetting>

export const TablesSetting = Type.Array(TableSetting, {
  form: 'a list of objects, see Tables; JSON in text',
  default: [],
  description:
    'Columns of tables that record format conversion converts to, instead of a Glue Data Catalog. ' +
    'Read at start.',
})
