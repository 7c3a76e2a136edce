/** Tables from a Glue Data Catalog that we have not written: moto's. */
import {
  CreateDatabaseCommand,
  CreateTableCommand,
  GlueClient,
  UpdateTableCommand,
} from '@aws-sdk/client-glue'
import type { TableInput } from '@aws-sdk/client-glue'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/logger.ts'
import { ConfigurationError } from '../../src/destination.ts'
import { TableDirectory } from '../../src/tables/table-directory.ts'
import { available } from '../clients/available.ts'
import { startMoto } from '../servers/moto.ts'

const moto = await startMoto()
const present = available('moto server', moto !== undefined)
const endpoint = moto?.endpoint ?? ''
const CREDENTIALS = { accessKeyId: 'AKID', secretAccessKey: 'secret' }

beforeAll(() => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', CREDENTIALS.accessKeyId)
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', CREDENTIALS.secretAccessKey)
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await moto?.[Symbol.asyncDispose]()
})

function open(): TableDirectory {
  return new TableDirectory({
    tables: [],
    glue: { endpoint },
    region: 'us-east-1',
    accountId: '123456789012',
    clock: systemClock,
    logger: silentLogger,
  })
}

test.runIf(present)('a table is had as it is, or as a version of it was', async () => {
  const client = new GlueClient({ endpoint, region: 'us-east-1', credentials: CREDENTIALS })
  const tableOf = (...types: string[]): TableInput => ({
    Name: 'access',
    StorageDescriptor: { Columns: types.map((Type, index) => ({ Name: `c${index}`, Type })) },
    PartitionKeys: [{ Name: 'dt', Type: 'string' }],
  })
  const DatabaseName = 'logs'
  await client.send(new CreateDatabaseCommand({ DatabaseInput: { Name: DatabaseName } }))
  const first = tableOf('int')
  await client.send(new CreateTableCommand({ DatabaseName, TableInput: first }))
  const second = tableOf('bigint', 'struct<a:array<int>>')
  await client.send(new UpdateTableCommand({ DatabaseName, TableInput: second }))
  client.destroy()

  const tables = open()
  const configuration = { RoleARN: 'r', DatabaseName, TableName: 'access' }
  const schema = {
    catalogId: '123456789012',
    databaseName: DatabaseName,
    tableName: 'access',
    region: 'us-east-1',
  }
  expect(await tables.schema(configuration)).toEqual({
    ...schema,
    versionId: 'LATEST',
    columns: [
      { name: 'c0', type: 'bigint' },
      { name: 'c1', type: 'struct<a:array<int>>' },
    ],
  })
  expect(await tables.schema({ ...configuration, VersionId: '1' })).toEqual({
    ...schema,
    versionId: '1',
    columns: [{ name: 'c0', type: 'int' }],
  })
  await tables.close()
})

test.runIf(present)('a table that is not there is refused, and so is a database', async () => {
  const tables = open()
  for (const DatabaseName of ['logs', 'nowhere']) {
    const configuration = { RoleARN: 'r', DatabaseName, TableName: 'unknown' }
    await expect(tables.schema(configuration)).rejects.toThrow(ConfigurationError)
  }
  await tables.close()
})
