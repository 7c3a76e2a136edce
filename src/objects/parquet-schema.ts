/**
 * How Hive's types are stored in Parquet: in the forms that Athena, Spark and Hive itself read.
 *
 *   tinyint, smallint, int   INT32 (INT_8, INT_16, none)     bigint     INT64
 *   float, double            FLOAT, DOUBLE                   boolean    BOOLEAN
 *   string, varchar, char    BYTE_ARRAY (UTF8)               binary     BYTE_ARRAY
 *   decimal                  FIXED_LEN_BYTE_ARRAY of the least length, for Hive reads no other
 *   date                     INT32 (DATE)
 *   timestamp                INT64 (TIMESTAMP_MICROS, without a zone). Not INT96, which is deprecated and
 *                            which the library doesn't write
 *   array, map               the groups of three levels that the format asks for
 *
 * Everything may be null but the keys of maps.
 */
import type { ParquetSchemaElement } from '../formats/parquet-file.ts'
import type { HiveField, HiveType } from '../processors/conversion/hive-type.ts'

/** Depth first, the root at its head. */
export function parquetSchema(fields: readonly HiveField[]): readonly ParquetSchemaElement[] {
  return [{ name: 'hive_schema', num_children: fields.length }, ...fields.flatMap(fieldElements)]
}

function fieldElements({ name, type }: HiveField): ParquetSchemaElement[] {
  return elementsOf(name, type, 'OPTIONAL')
}

function elementsOf(
  name: string,
  type: HiveType,
  repetition: 'OPTIONAL' | 'REQUIRED',
): ParquetSchemaElement[] {
  const group = { name, repetition_type: repetition }
  switch (type.kind) {
    case 'array':
      return [
        { ...group, num_children: 1, converted_type: 'LIST', logical_type: { type: 'LIST' } },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        ...elementsOf('element', type.element, 'OPTIONAL'),
      ]
    case 'map':
      return [
        { ...group, num_children: 1, converted_type: 'MAP', logical_type: { type: 'MAP' } },
        { name: 'key_value', repetition_type: 'REPEATED', num_children: 2 },
        ...elementsOf('key', type.key, 'REQUIRED'),
        ...elementsOf('value', type.value, 'OPTIONAL'),
      ]
    case 'struct':
      return [{ ...group, num_children: type.fields.length }, ...type.fields.flatMap(fieldElements)]
    default:
      return [{ ...group, ...leafOf(type) }]
  }
}

type Leaf = Exclude<HiveType, { kind: 'array' | 'map' | 'struct' }>
type LeafElement = Omit<ParquetSchemaElement, 'name'>

const TEXT: LeafElement = {
  type: 'BYTE_ARRAY',
  converted_type: 'UTF8',
  logical_type: { type: 'STRING' },
}

const LEAVES: Readonly<Record<Exclude<Leaf['kind'], 'decimal'>, LeafElement>> = {
  boolean: { type: 'BOOLEAN' },
  tinyint: { type: 'INT32', converted_type: 'INT_8' },
  smallint: { type: 'INT32', converted_type: 'INT_16' },
  int: { type: 'INT32' },
  bigint: { type: 'INT64' },
  float: { type: 'FLOAT' },
  double: { type: 'DOUBLE' },
  string: TEXT,
  varchar: TEXT,
  char: TEXT,
  binary: { type: 'BYTE_ARRAY' },
  date: { type: 'INT32', converted_type: 'DATE', logical_type: { type: 'DATE' } },
  timestamp: {
    type: 'INT64',
    converted_type: 'TIMESTAMP_MICROS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'MICROS' },
  },
}

function leafOf(type: Leaf): LeafElement {
  if (type.kind !== 'decimal') return LEAVES[type.kind]
  const { precision, scale } = type
  return {
    type: 'FIXED_LEN_BYTE_ARRAY',
    type_length: decimalBytes(precision),
    converted_type: 'DECIMAL',
    precision,
    scale,
    logical_type: { type: 'DECIMAL', precision, scale },
  }
}

/** The least that holds all numbers of so many digits, in two's complement. */
function decimalBytes(precision: number): number {
  let length = 1
  while (2n ** BigInt(8 * length - 1) < 10n ** BigInt(precision)) length += 1
  return length
}
