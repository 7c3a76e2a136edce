/**
 * Every setting of the process, defined once: type, default, limits and words. The file, the
 * environment, the flags, `standpipe settings` and the table in docs/operations.md all follow from
 * this schema. Keywords of ours beside those of JSON Schema:
 *
 *   form      what a valid value looks like, in words, for messages and the table
 *   unit      `bytes`: may be written with a unit, e.g. 10GiB
 *   secret    masked wherever it is shown; may be given as a file that holds it
 */
import { availableParallelism } from 'node:os'
import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { AccessKeysSetting } from './access-keys.ts'
import { ConnectionsSetting, SecretsSetting } from './connection-settings.ts'
import { TablesSetting } from './table-settings.ts'

const MIB = 1024 * 1024
const GIB = 1024 * MIB

const HOST_AND_PORT = String.raw`^(\[[0-9a-fA-F:.]+\]|[^\s:\[\]]+):\d{1,5}$`

export const SettingsSchema = Type.Object(
  {
    listen: Type.String({
      pattern: HOST_AND_PORT,
      form: 'host:port',
      default: '127.0.0.1:4573',
      description:
        'Where the service answers. Port 0 takes a free one. With a TLS certificate and no ' +
        'tlsListen, this listener speaks HTTPS.',
    }),
    tlsListen: Type.Optional(
      Type.String({
        pattern: HOST_AND_PORT,
        form: 'host:port',
        description: 'A second listener, which speaks HTTPS. Needs tlsCert and tlsKey.',
      }),
    ),
    tlsCert: Type.Optional(
      Type.String({ form: 'path', description: 'Certificate chain, PEM. Read at start.' }),
    ),
    tlsKey: Type.Optional(
      Type.String({ form: 'path', description: 'Private key of the certificate, PEM.' }),
    ),
    dataDir: Type.String({
      form: 'path',
      minLength: 1,
      default: './data',
      description:
        'Where records wait until they are delivered, with the catalog and, when there is no S3, ' +
        'the buckets. One service at a time uses it.',
    }),
    backend: Type.String({
      form: '`embedded`, or the URL of a Redis',
      default: 'embedded',
      description:
        'Where records wait, with queue and catalog: in dataDir, or in a Redis that any number of ' +
        'processes share: `redis://[user[:password]@]host[:port][/database]`, ' +
        '`redis+sentinel://host[:port],host…/master`, `redis+cluster://host[:port],host…`, each also as ' +
        '`rediss` with TLS and with `?prefix=name` for its keys.',
    }),
    redisPassword: Type.Optional(
      Type.String({
        secret: true,
        form: 'text',
        minLength: 1,
        description: 'Password of the Redis, if it is not to stand in the URL.',
      }),
    ),
    redisFsync: Type.Enum(['always', 'everysec', 'none'], {
      default: 'everysec',
      description:
        'What the append-only file of the Redis must do at least, which is checked at start. `always`: a ' +
        'record answered with 200 is on its disk. `everysec`: a loss of power may cost the last second. ' +
        '`none`: a restart of Redis may cost everything.',
    }),
    redisReplicas: Type.Integer({
      minimum: 0,
      maximum: 10,
      default: 0,
      description:
        'So many replicas must have a record before it is answered with 200 (WAIT). With 0 a failover ' +
        'may cost what was not replicated yet.',
    }),
    redisWaitAof: Type.Boolean({
      default: false,
      description:
        'Wait until a record is on the disk of the Redis, and of redisReplicas replicas, whatever their ' +
        'appendfsync (WAITAOF; Redis 7.2 or Valkey).',
    }),
    redisAckTimeoutMs: Type.Integer({
      minimum: 50,
      maximum: 4_000,
      default: 2_000,
      description:
        'How long replicas and disks are waited for. Beyond, a put fails with ' +
        'ServiceUnavailableException.',
    }),
    redisMemoryPercent: Type.Integer({
      minimum: 10,
      maximum: 90,
      default: 75,
      description:
        'Puts are refused when the Redis uses this much of its maxmemory; the rest is for what delivery ' +
        'needs to make room.',
    }),
    redisLockMs: Type.Integer({
      minimum: 500,
      maximum: 600_000,
      default: 10_000,
      description:
        'A batch of a worker that has not been heard of for this long is given to another.',
    }),
    redisStreamClaims: Type.Integer({
      minimum: 1,
      maximum: 1_000,
      default: 8,
      description:
        'Batches of one stream (of each of its lanes, if it is spread) that all workers together ' +
        'deliver at a time, while it is in good health.',
    }),
    bullBoardListen: Type.Optional(
      Type.String({
        pattern: HOST_AND_PORT,
        form: 'host:port of this machine',
        description:
          'Where bull-board shows the jobs of a Redis backend, to whoever reaches it. Only loopback, ' +
          'unless insecureOpen is set.',
      }),
    ),
    accountId: Type.String({
      pattern: String.raw`^\d{12}$`,
      form: '12 digits',
      default: '000000000000',
      description: 'The account in ARNs and messages.',
    }),
    region: Type.String({
      pattern: '^[a-z0-9-]{1,32}$',
      form: 'a region, e.g. eu-central-1',
      default: 'us-east-1',
      description: 'The region in ARNs, and of S3. Requests may be signed for any region.',
    }),
    accessKeys: AccessKeysSetting,
    insecureOpen: Type.Boolean({
      default: false,
      description:
        'Answer on addresses beyond loopback without access keys: whoever reaches the port may ' +
        'do everything.',
    }),
    allowedHosts: Type.Array(Type.String({ pattern: String.raw`^[^\s:/,]+$` }), {
      form: 'name,…; in the file also a list',
      default: [],
      description:
        'Without access keys: host names by which the service may be called, besides localhost and ' +
        'addresses. Others are refused, for a web page could bend its own name here. With ' +
        'insecureOpen any is taken.',
    }),
    metricsToken: Type.Optional(
      Type.String({
        secret: true,
        pattern: '^[!-~]{16,}$',
        form: 'at least 16 characters without spaces',
        description:
          'With access keys: opens `GET /metrics` to `Authorization: Bearer <token>`, as Prometheus ' +
          'sends it.',
      }),
    ),
    strictAws: Type.Boolean({
      default: false,
      description: "Enforce AWS's limits that only hurt (see docs/compatibility.md).",
    }),
    sseKey: Type.Optional(
      Type.String({
        secret: true,
        form: 'base64 of 32 bytes, or lines `<key id>:<base64>`',
        description:
          'Key that wraps the data keys of encrypted streams; without it server-side encryption is ' +
          'refused. Of several lines the first wraps, all unwrap.',
      }),
    ),
    auditFile: Type.Optional(
      Type.String({
        form: 'path',
        description:
          'Where control operations are written, one CloudTrail-shaped JSON line each. ' +
          'By default `<dataDir>/audit.jsonl`.',
      }),
    ),
    s3Endpoint: Type.Optional(
      Type.String({
        pattern: String.raw`^https?://[^\s/]+/?$`,
        form: 'URL without a path',
        description:
          'S3 server to deliver to, with the standard AWS credential chain. Unset: AWS when ' +
          'credentials are found in the environment, else local folders under dataDir.',
      }),
    ),
    s3ForcePathStyle: Type.Optional(
      Type.Boolean({
        description: 'Name buckets in the path, not the host. By default on with s3Endpoint.',
      }),
    ),
    s3RequestTimeoutMs: Type.Integer({
      minimum: 100,
      maximum: 900_000,
      default: 30_000,
      description: 'A request to S3 that takes longer has failed and is tried again.',
    }),
    connections: ConnectionsSetting,
    secrets: SecretsSetting,
    tables: TablesSetting,
    glueEndpoint: Type.Optional(
      Type.String({
        pattern: String.raw`^https?://[^\s/]+/?$`,
        form: 'URL without a path',
        description:
          'Glue Data Catalog to ask for tables that the setting tables has not, with the standard ' +
          'AWS credential chain. Unset: AWS Glue.',
      }),
    ),
    kinesisEndpoint: Type.Optional(
      Type.String({
        pattern: String.raw`^https?://[^\s/]+/?$`,
        form: 'URL without a path',
        description:
          'Kinesis to read streams from whose ARN has no endpoint in connections, with the standard ' +
          'AWS credential chain. Unset: AWS Kinesis.',
      }),
    ),
    functionsDir: Type.String({
      form: 'path',
      minLength: 1,
      default: './functions',
      description:
        'Modules that answer to the ARNs of Lambda functions by their names (see processing.md). ' +
        'Need not be there.',
    }),
    functions: Type.Record(Type.String(), Type.String({ minLength: 1 }), {
      form: 'an object from ARN or function name to module, URL or `lambda`; JSON in text',
      default: {},
      defaultWords: '',
      description:
        'What answers to the ARNs of Lambda functions, before functionsDir is looked at.',
    }),
    lambdaEndpoint: Type.Optional(
      Type.String({
        pattern: String.raw`^https?://[^\s/]+/?$`,
        form: 'URL without a path',
        description:
          'Where functions are invoked that neither functions nor functionsDir has, with the ' +
          'standard AWS credential chain. Unset: AWS Lambda, when credentials are found.',
      }),
    ),
    functionTimeoutMs: Type.Integer({
      minimum: 100,
      maximum: 300_000,
      default: 60_000,
      description: 'An invocation that takes longer has failed; the thread of a module is ended.',
    }),
    functionMemoryMB: Type.Integer({
      minimum: 128,
      maximum: 10_240,
      default: 256,
      description:
        'A thread of a module that holds more MiB than this, in heap and buffers, is ended. There ' +
        'are up to 2 threads for each function and worker.',
    }),
    retryBackoffFirstMs: Type.Integer({
      minimum: 1,
      maximum: 600_000,
      default: 1_000,
      description: 'Pause after the first failed delivery; doubles with each further one.',
    }),
    retryBackoffMaxMs: Type.Integer({
      minimum: 1,
      maximum: 3_600_000,
      default: 120_000,
      description: 'Longest pause between attempts. Pauses vary by ±15 %.',
    }),
    workers: Type.Integer({
      minimum: 1,
      maximum: 64,
      default: Math.min(2, availableParallelism()),
      defaultWords: '2, or 1 on a single core',
      description: 'Threads that encode and deliver.',
    }),
    diskQuotaBytes: Type.Integer({
      unit: 'bytes',
      minimum: 64 * MIB,
      default: 50 * GIB,
      description:
        'Undelivered records may occupy this much. Beyond, puts are answered with ' +
        'ServiceUnavailableException until there is room again.',
    }),
    freeBytesMin: Type.Integer({
      unit: 'bytes',
      minimum: 0,
      default: 64 * MIB,
      description: 'Puts are refused in the same way when the disk has less than this free.',
    }),
    sourceBacklogBytes: Type.Integer({
      unit: 'bytes',
      minimum: MIB,
      default: 256 * MIB,
      description:
        'A stream that reads a source pauses while it has more than this undelivered, or more than ' +
        'two batches, if these are larger.',
    }),
    receiptRetentionDays: Type.Integer({
      minimum: 1,
      maximum: 3650,
      default: 14,
      description: 'How long `standpipe receipt` can answer for a delivered record.',
    }),
    drainTimeoutMs: Type.Integer({
      minimum: 0,
      maximum: 3_600_000,
      default: 8_000,
      description:
        'How long a stop waits for deliveries. What is not delivered by then stays on disk and ' +
        "goes on after the next start. Docker's own limit is 10 s.",
    }),
    logLevel: Type.Enum(['debug', 'info', 'warn', 'error'], {
      default: 'info',
      description: 'Least severe log line that is written, to stderr.',
    }),
    logFormat: Type.Enum(['auto', 'json', 'text'], {
      default: 'auto',
      description: '`auto`: short lines of text on a terminal, JSON lines elsewhere.',
    }),
    deliveryStreams: Type.Array(
      Type.Object({ DeliveryStreamName: Type.String({ minLength: 1 }) }),
      {
        form: "CloudFormation's AWS::KinesisFirehose::DeliveryStream properties; a JSON list in text",
        default: [],
        description: 'Streams to create or update at start. None is ever deleted by its absence.',
      },
    ),
  },
  { additionalProperties: false },
)

/** The settings as the service reads them: checked, defaults filled in, secrets read. */
export type Settings = Static<typeof SettingsSchema>
export type SettingName = keyof Settings

/** What the schema says of one setting, in the words used here. */
export interface SettingSchema extends TSchema {
  readonly type?: string
  readonly enum?: readonly string[]
  readonly default?: unknown
  readonly defaultWords?: string
  readonly description: string
  readonly form?: string
  readonly unit?: 'bytes'
  readonly secret?: boolean
  readonly minimum?: number
  readonly maximum?: number
}

export interface SettingDefinition {
  readonly name: SettingName
  /** E.g. `STANDPIPE_DATA_DIR`. */
  readonly variable: string
  /** E.g. `data-dir`, without the dashes. */
  readonly flag: string
  readonly schema: SettingSchema
}

export const settingDefinitions: readonly SettingDefinition[] = Object.entries(
  SettingsSchema.properties as unknown as Record<SettingName, SettingSchema>,
).map(([name, schema]) => {
  const flag = name.replaceAll(/[A-Z]+/g, (capitals) => `-${capitals.toLowerCase()}`)
  const variable = `STANDPIPE_${flag.replaceAll('-', '_').toUpperCase()}`
  return { name: name as SettingName, variable, flag, schema }
})
