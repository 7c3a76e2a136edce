/** Puts records together as the Kinesis Producer Library does; the format is in kpl-aggregate.ts. */
import { createHash } from 'node:crypto'

export interface AggregatedRecord {
  readonly data: string
  readonly partitionKey: string
  readonly explicitHashKey?: string
}

export function kplAggregate(records: readonly AggregatedRecord[]): Buffer {
  const hashKeys = records.flatMap(({ explicitHashKey }) => explicitHashKey ?? [])
  const message = Buffer.concat([
    ...records.map(({ partitionKey }) => bytesField(1, Buffer.from(partitionKey))),
    ...hashKeys.map((hashKey) => bytesField(2, Buffer.from(hashKey))),
    ...records.map(({ data, explicitHashKey }, index) =>
      bytesField(
        3,
        Buffer.concat([
          varintField(1, index),
          ...(explicitHashKey === undefined
            ? []
            : [varintField(2, hashKeys.indexOf(explicitHashKey))]),
          bytesField(3, Buffer.from(data)),
        ]),
      ),
    ),
  ])
  const digest = createHash('md5').update(message).digest()
  return Buffer.concat([Buffer.from('f3899ac2', 'hex'), message, digest])
}

function bytesField(number: number, value: Buffer): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(value.byteLength), value])
}

function varintField(number: number, value: number): Buffer {
  return Buffer.concat([varint(number * 8), varint(value)])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Buffer.from([...bytes, rest])
}
