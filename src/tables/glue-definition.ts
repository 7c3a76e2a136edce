/** Reads the columns of a table as Glue's GetTable, GetTableVersion and CreateTable have it. */
import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import { ConfigurationError } from '../destination.ts'
import type { TableColumn } from '../table-schema.ts'

const WRAPPINGS = ['TableVersion', 'Table', 'TableInput']

/**
 * Those of `StorageDescriptor`; what the table is partitioned by is no column of its files.
 * @throws ConfigurationError
 */
export function columnsOfDefinition(definition: unknown): readonly TableColumn[] {
  const table = unwrapped(definition)
  const storage = table?.['StorageDescriptor']
  const columns = isJsonObject(storage) ? storage['Columns'] : undefined
  if (!Array.isArray(columns)) {
    throw new ConfigurationError(
      "Cannot read the table's definition: it must be what Glue's GetTable answers, with StorageDescriptor.Columns",
    )
  }
  return columns.map((column: unknown, index) => {
    const { Name: name, Type: type } = isJsonObject(column) ? column : {}
    if (typeof name === 'string' && typeof type === 'string') return { name, type }
    throw new ConfigurationError(
      `Cannot read the table's definition: column ${index + 1} must have a Name and a Type`,
    )
  })
}

function unwrapped(definition: unknown): JsonObject | undefined {
  let table = definition
  for (const wrapping of WRAPPINGS) {
    if (isJsonObject(table) && table[wrapping] !== undefined) table = table[wrapping]
  }
  return isJsonObject(table) ? table : undefined
}
