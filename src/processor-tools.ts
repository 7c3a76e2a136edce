/** Composition of what processors need of their process; each thread that processes has its own. */
import type { Clock } from './base/clock.ts'
import type { Logger } from './base/logger.ts'
import { FunctionDirectory } from './functions/function-directory.ts'
import type { ProcessorTools } from './processors/index.ts'
import { JqEngine } from './processors/partitioning/jq-engine.ts'
import { SqlEngine } from './processors/sql/sql-engine.ts'
import type { Settings } from './settings.ts'
import { TableDirectory } from './tables/table-directory.ts'

/** AWS's quota; beyond it records go to the error output. */
const PARTITIONS_MAX_STRICT = 500
/** So many objects of one batch are a manifest of some 20 MB. */
const PARTITIONS_MAX = 50_000

const SETTINGS = [
  'accountId',
  'region',
  'strictAws',
  'functionsDir',
  'functions',
  'lambdaEndpoint',
  'functionTimeoutMs',
  'functionMemoryMB',
  'tables',
  'glueEndpoint',
] as const

/** The settings that concern processors; plain data, as threads are given it. */
export type ProcessorSettings = Pick<Settings, (typeof SETTINGS)[number]>

export function processorSettings(settings: Settings): ProcessorSettings {
  const entries = SETTINGS.map((name) => [name, settings[name]])
  return Object.fromEntries(entries) as ProcessorSettings
}

/** Nothing runs until it is used. */
export function openProcessorTools(
  settings: ProcessorSettings,
  clock: Clock,
  logger: Logger,
): ProcessorTools & AsyncDisposable {
  const { accountId, region, glueEndpoint } = settings
  const functions = new FunctionDirectory({
    directory: settings.functionsDir,
    mapping: settings.functions,
    lambda: { endpoint: settings.lambdaEndpoint, region },
    timeoutMs: settings.functionTimeoutMs,
    memoryMB: settings.functionMemoryMB,
    clock,
    logger,
  })
  const tables = new TableDirectory({
    tables: settings.tables,
    glue: glueEndpoint === undefined ? {} : { endpoint: glueEndpoint },
    region,
    accountId,
    clock,
    logger,
  })
  const jq = new JqEngine({ clock, logger })
  const sql = new SqlEngine({ clock, logger })
  return {
    functions,
    tables,
    jq,
    sql,
    partitionsMax: settings.strictAws ? PARTITIONS_MAX_STRICT : PARTITIONS_MAX,
    clock,
    async [Symbol.asyncDispose]() {
      await Promise.all([functions, tables, jq, sql].map((tool) => tool.close()))
    },
  }
}
