import { kafka } from './kafka.ts'
import { kinesalite, kinesisReplayed } from './kinesis.ts'
import { redisStreams } from './redis-streams.ts'
import type { SourcePlan } from './source-bench.ts'

export const SOURCES: readonly SourcePlan[] = [kafka, redisStreams, kinesisReplayed, kinesalite]
