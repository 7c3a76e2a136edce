import { afterEach, expect, test, vi } from 'vitest'
import { ManualClock } from '../../test/contracts/manual-clock.ts'
import { ScriptedHttp } from '../../test/fakes/scripted-http.ts'
import type { ScriptedAnswer, ScriptedRequest } from '../../test/fakes/scripted-http.ts'
import { silentLogger } from '../base/logger.ts'
import { ConfigurationError } from '../destination.ts'
import { TableDirectory } from './table-directory.ts'
import type { TableSetting } from './table-directory.ts'

const NAME = { RoleARN: 'r', DatabaseName: 'd', TableName: 't' }
const FIVE_MINUTES_MS = 300_000
const COLUMNS = [{ Name: 'a', Type: 'int', Comment: 'x' }]
const clock = new ManualClock()

afterEach(() => vi.unstubAllEnvs())

function open(tables: readonly TableSetting[], endpoint?: string): TableDirectory {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKID')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret')
  return new TableDirectory({
    tables,
    glue: endpoint === undefined ? {} : { endpoint },
    region: 'eu-central-1',
    accountId: '123456789012',
    clock,
    logger: silentLogger,
  })
}

function answer(content: object, status = 200): ScriptedAnswer {
  const headers = { 'content-type': 'application/x-amz-json-1.1' }
  return { status, headers, body: JSON.stringify(content) }
}

function tableAnswer(): ScriptedAnswer {
  return answer({ Table: { Name: 't', StorageDescriptor: { Columns: COLUMNS } } })
}

/** What was asked for, without what signs it. */
function asked({ headers, body }: ScriptedRequest): unknown[] {
  const scope = /Credential=\w+\/\d+\/([\w-]+)\/glue/.exec(headers.authorization ?? '')
  return [headers['x-amz-target'], scope?.[1], JSON.parse(String(body))]
}

test('the settings come first, whatever the case of a name', async () => {
  const definition = { Table: { StorageDescriptor: { Columns: COLUMNS }, PartitionKeys: [] } }
  const tables = open([
    { database: 'D', table: 't', createTable: 'CREATE TABLE t (b string)' },
    { database: 'd', table: 'u', definition },
    { database: 'd', table: 'v', definition: definition.Table },
  ])
  expect(await tables.schema(NAME)).toEqual({
    catalogId: '123456789012',
    databaseName: 'd',
    tableName: 't',
    region: 'eu-central-1',
    versionId: 'LATEST',
    columns: [{ name: 'b', type: 'string' }],
  })
  const other = { ...NAME, TableName: 'U', CatalogId: '9', Region: 'us-west-2', VersionId: '4' }
  const schema = {
    catalogId: '9',
    databaseName: 'd',
    tableName: 'U',
    region: 'us-west-2',
    versionId: '4',
    columns: [{ name: 'a', type: 'int' }],
  }
  expect(await tables.schema(other)).toEqual(schema)
  expect(await tables.schema({ ...other, TableName: 'v' })).toEqual({ ...schema, tableName: 'v' })
  await tables.close()
})

test.each<[string, Partial<TableSetting>, string]>([
  ['text', { createTable: 'DROP TABLE t' }, 'Cannot read CREATE TABLE: it must begin with'],
  ['definition', { definition: { Table: {} } }, "Cannot read the table's definition: it must be"],
  [
    'column',
    { definition: { StorageDescriptor: { Columns: [{ Name: 'a' }] } } },
    "Cannot read the table's definition: column 1 must have a Name and a Type",
  ],
])('a table with a wrong %s is refused at start', (_what, setting, message) => {
  expect(() => open([{ database: 'd', table: 't', ...setting }])).toThrow(
    `Cannot use the table d.t in the settings: ${message}`,
  )
})

test('Glue is asked once in five minutes, also by those who ask at the same time', async () => {
  await using glue = await ScriptedHttp.start(tableAnswer)
  const tables = open([], glue.url)
  const [one, other] = await Promise.all([tables.schema(NAME), tables.schema(NAME)])
  expect(one).toEqual({
    catalogId: '123456789012',
    databaseName: 'd',
    tableName: 't',
    region: 'eu-central-1',
    versionId: 'LATEST',
    columns: [{ name: 'a', type: 'int' }],
  })
  expect(other).toEqual(one)
  clock.advance(FIVE_MINUTES_MS - 1)
  await tables.schema(NAME)
  const request = ['AWSGlue.GetTable', 'eu-central-1', { DatabaseName: 'd', Name: 't' }]
  expect(glue.requests.map(asked)).toEqual([request])
  clock.advance(1)
  await tables.schema(NAME)
  expect(glue.requests.map(asked)).toEqual([request, request])
  await tables.close()
})

test('a version, a catalog and a region are those of the configuration', async () => {
  await using glue = await ScriptedHttp.start(() =>
    answer({ TableVersion: { Table: { Name: 't', StorageDescriptor: { Columns: COLUMNS } } } }),
  )
  const tables = open([], glue.url)
  await tables.schema({ ...NAME, CatalogId: '9', Region: 'us-west-2', VersionId: '4' })
  expect(glue.requests.map(asked)).toEqual([
    [
      'AWSGlue.GetTableVersion',
      'us-west-2',
      { DatabaseName: 'd', TableName: 't', CatalogId: '9', VersionId: '4' },
    ],
  ])
  await tables.close()
})

test('a table that Glue has not is a mistake of the configuration, and is asked for again', async () => {
  const unknown = answer({ __type: 'EntityNotFoundException', Message: 'Table t not found.' }, 400)
  await using glue = await ScriptedHttp.start(() => unknown)
  const tables = open([], glue.url)
  await expect(tables.schema(NAME)).rejects.toThrow(
    new ConfigurationError(
      'The table d.t is not known: describe it by createTable or definition in the setting ' +
        'tables, or name a Glue Data Catalog that has it by glueEndpoint (Cannot get the table ' +
        `d.t from Glue at ${glue.url}: Table t not found.)`,
    ),
  )
  glue.answer = tableAnswer
  expect((await tables.schema(NAME)).columns).toEqual([{ name: 'a', type: 'int' }])
  await tables.close()
})

test('a catalog that refuses says nothing about the table', async () => {
  await using glue = await ScriptedHttp.start(() =>
    answer({ __type: 'AccessDeniedException', Message: 'no' }, 400),
  )
  const tables = open([], glue.url)
  const failure: unknown = await tables.schema(NAME).catch((error: unknown) => error)
  expect(failure).not.toBeInstanceOf(ConfigurationError)
  expect(failure).toMatchObject({
    message: `Cannot get the table d.t from Glue at ${glue.url}: AccessDeniedException: no`,
  })
  await tables.close()
})

test('without credentials no catalog is asked, and the message says what to do', async () => {
  const tables = open([])
  vi.stubEnv('AWS_ACCESS_KEY_ID', undefined)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', undefined)
  vi.stubEnv('AWS_PROFILE', undefined)
  vi.stubEnv('AWS_CONFIG_FILE', '/dev/null')
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/dev/null')
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  await expect(tables.schema(NAME)).rejects.toThrow(
    new ConfigurationError(
      'The table d.t is not known: describe it by createTable or definition in the setting ' +
        'tables, or name a Glue Data Catalog that has it by glueEndpoint (Cannot get the table ' +
        'd.t from AWS Glue: there are no AWS credentials)',
    ),
  )
  await tables.close()
})
