/** The table of sources: one line each. */
import type { SourceTypeName } from '../delivery-stream.ts'
import type { SourceType } from '../source.ts'
import { kafkaSource } from './kafka/index.ts'
import { kinesisSource } from './kinesis/index.ts'
import { redisStreamSource } from './redis-streams/index.ts'

export const sourceTypes: ReadonlyMap<SourceTypeName, SourceType> = new Map(
  [kinesisSource, kafkaSource, redisStreamSource].map((type) => [type.name, type]),
)
