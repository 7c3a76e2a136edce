/**
 * What processing costs: the same load through streams that differ only in their processors, each as a
 * ratio to the stream without any, in the same run. Objects go to local folders.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { once } from 'node:events'
import type {
  ExtendedS3DestinationConfiguration,
  Processor,
  ProcessorParameterName,
} from '@aws-sdk/client-firehose'
import { measureService } from './service-row.ts'
import type { Row } from './service-row.ts'
import { handler } from './functions/pass.ts'

interface ProcessingPlan {
  readonly name: string
  readonly extended: Partial<ExtendedS3DestinationConfiguration>
  readonly environment?: Record<string, string>
  /** Where there are many objects to write, fewer records tell as much. */
  readonly recordsMax?: number
}

const OBJECT_MIB = 64
const ARN = 'arn:aws:lambda:us-east-1:000000000000:function:'
const FUNCTIONS = new URL('functions', import.meta.url).pathname
const EXAMPLES = new URL('../functions', import.meta.url).pathname

const TABLE = {
  database: 'bench',
  table: 'logs',
  createTable: `CREATE EXTERNAL TABLE logs (
    \`timestamp\` timestamp, level string, sequence bigint, service string, instance string, trace_id string,
    span_id string, message string, tenant string, session string, detail string,
    http struct<method:string,path:string,status:int,duration_ms:int,bytes_sent:int,user_agent:string>,
    feature_flags array<string>)`,
}

function processor(type: string, parameters: Readonly<Record<string, string>>): Processor {
  const Parameters = Object.entries(parameters).map(([name, value]) => ({
    ParameterName: name as ProcessorParameterName,
    ParameterValue: value,
  }))
  return { Type: type as NonNullable<Processor['Type']>, Parameters }
}

function processing(...Processors: Processor[]): Partial<ExtendedS3DestinationConfiguration> {
  return { ProcessingConfiguration: { Enabled: true, Processors } }
}

function partitioned(query: string): Partial<ExtendedS3DestinationConfiguration> {
  return {
    ...processing(
      processor('MetadataExtraction', {
        MetadataExtractionQuery: query,
        JsonParsingEngine: 'JQ-1.6',
      }),
    ),
    DynamicPartitioningConfiguration: { Enabled: true },
    Prefix: 'key=!{partitionKeyFromQuery:key}/',
    ErrorOutputPrefix: 'errors/!{firehose:error-output-type}/',
  }
}

const called = (name: string) => processing(processor('Lambda', { LambdaArn: ARN + name }))
const inDirectory = (directory: string) => ({ STANDPIPE_FUNCTIONS_DIR: directory })

function plans(functionUrl: string): readonly ProcessingPlan[] {
  return [
    { name: 'none', extended: {} },
    {
      name: 'local function that passes',
      extended: called('pass'),
      environment: inDirectory(FUNCTIONS),
    },
    {
      name: 'local function that enriches',
      extended: called('enrich'),
      environment: inDirectory(EXAMPLES),
    },
    {
      name: 'HTTP function that passes',
      extended: called('remote'),
      environment: { STANDPIPE_FUNCTIONS: JSON.stringify({ remote: functionUrl }) },
    },
    { name: 'path, 1 key', extended: partitioned('{key:.kubernetes.cluster}') },
    { name: 'path, 400 keys', extended: partitioned('{key:.tenant}') },
    { name: 'jq, 1 key', extended: partitioned('{key:(.sequence % 1)}') },
    { name: 'jq, 100 keys', extended: partitioned('{key:(.sequence % 100)}') },
    {
      name: 'jq, 10,000 keys',
      extended: partitioned('{key:(.sequence % 10000)}'),
      recordsMax: 120_000,
    },
    {
      name: 'Parquet',
      extended: {
        CompressionFormat: 'UNCOMPRESSED',
        DataFormatConversionConfiguration: {
          Enabled: true,
          SchemaConfiguration: {
            RoleARN: 'arn:aws:iam::000000000000:role/bench',
            DatabaseName: TABLE.database,
            TableName: TABLE.table,
          },
          InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {} } },
          OutputFormatConfiguration: { Serializer: { ParquetSerDe: {} } },
        },
      },
      environment: { STANDPIPE_TABLES: JSON.stringify([TABLE]) },
    },
    {
      name: 'SQL',
      extended: processing(
        processor('SQL', {
          SqlQuery: 'SELECT service, tenant, http.status AS status, message FROM records',
        }),
      ),
    },
  ]
}

/** Calls `print` with each row and its ratio to the first. */
export async function measureProcessing(
  isChosen: (name: string) => boolean,
  recordCount: number,
  print: (row: Row, ratio: number | undefined) => void,
): Promise<void> {
  await using server = await openFunctionServer()
  let none: Row | undefined
  for (const { name, extended, environment, recordsMax = Infinity } of plans(server.url)) {
    if (!isChosen(name) && none !== undefined) continue
    const plan = {
      name: `processing: ${name}`,
      compression: 'GZIP',
      streamCount: 1,
      signed: false,
      objectMiB: OBJECT_MIB,
      extended,
      environment: environment ?? {},
    } as const
    const row = await measureService(plan, Math.min(recordCount, recordsMax))
    none ??= row
    print(row, row.cpuSecondsPerMillion / none.cpuSecondsPerMillion)
  }
}

/** Speaks Lambda's invoke protocol; its processor time is not the service's. */
async function openFunctionServer(): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    void json(request).then(async (event) => {
      const answer = await handler(event as Parameters<typeof handler>[0])
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answer))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}
