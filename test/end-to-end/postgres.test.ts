/** The Redshift destination before a real Postgres: each test by a table and a stream of its own. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { redshift } from '../../destinations/redshift/index.ts'
import { NO_CONNECTIONS } from '../../src/connections.ts'
import type { Connections } from '../../src/connections.ts'
import { available } from '../clients/available.ts'
import { FaultProxy } from '../fakes/fault-proxy.ts'
import {
  batchOf,
  deliverByHand,
  deliverJob,
  encodeByHand,
  streamOf,
} from '../fakes/hand-delivery.ts'
import { freePort } from '../servers/process.ts'
import {
  configurationOf,
  created,
  failureOf,
  folder,
  postgres,
  refused,
  required,
  Table,
} from './postgres-table.ts'

describe.runIf(available('Postgres', postgres !== undefined))('Postgres', () => {
  describe('formats', () => {
    test('CSV, with what stands in quotes', async () => {
      await using table = await Table.create('id int, name text, at date')
      const records = ['1,plain,2026-11-21\n', '2,"with, ""comma""\nand line",\n', '3,,2026-01-02']
      expect(await table.deliver(records, { CopyOptions: 'CSV' })).toEqual([])
      expect(await table.rows('id, name, at::text')).toEqual([
        { id: 1, name: 'plain', at: '2026-11-21' },
        { id: 2, name: 'with, "comma"\nand line', at: null },
        { id: 3, name: '', at: '2026-01-02' },
      ])
    })

    test('delimited text, with escapes, dates and NULL', async () => {
      await using table = await Table.create('id int, name varchar(5), at date, seen timestamp')
      const CopyOptions = `DELIMITER ';' ESCAPE NULL AS 'nil' DATEFORMAT 'DD.MM.YYYY' TIMEFORMAT AS 'epochsecs' TRUNCATECOLUMNS EMPTYASNULL GZIP`
      const records = ['1;a\\;b;21.11.2026;0\n2;nil;;1700000000\n', '3;long name;01.02.2026;\n4;;;']
      const members = { CopyOptions, CompressionFormat: 'GZIP' }
      expect(await table.deliver(records, members)).toEqual([])
      expect(await table.rows('id, name, at::text, seen::text')).toEqual([
        { id: 1, name: 'a;b', at: '2026-11-21', seen: '1970-01-01 00:00:00' },
        { id: 2, name: null, at: null, seen: '2023-11-14 22:13:20' },
        { id: 3, name: 'long ', at: '2026-02-01', seen: null },
        { id: 4, name: null, at: null, seen: null },
      ])
    })

    test('JSON by the names of columns', async () => {
      await using table = await Table.create(
        'id bigint generated always as identity, big numeric, name text, flag boolean, "Mixed" text, more jsonb',
      )
      const records = [
        '{"big":12345678901234567890.10,"name":"a\\tb","flag":true,"more":{"n":1},"other":1}\n',
        '{"Mixed":"x","more":"text"} {"name":{"nested":[1]}}',
      ]
      expect(await table.deliver(records, { CopyOptions: "JSON 'auto'" })).toEqual([])
      expect(await table.rows('id, big, name, flag, "Mixed", more')).toEqual([
        {
          id: '1',
          big: '12345678901234567890.10',
          name: 'a\tb',
          flag: true,
          Mixed: null,
          more: { n: 1 },
        },
        { id: '2', big: null, name: null, flag: null, Mixed: 'x', more: 'text' },
        { id: '3', big: null, name: '{"nested":[1]}', flag: null, Mixed: null, more: null },
      ])
    })

    test('JSON by paths, into some columns of a table in another schema', async () => {
      await using table = await Table.create('"Quoted Name" text, id int, left_out text', 'own')
      const CopyOptions = `FORMAT AS JSON '{"jsonpaths": ["$.id", "$[''deep''].list[1]"]}'`
      const DataTableColumns = 'ID, "Quoted Name"'
      const records = ['{"id":1,"deep":{"list":["a","b"]}}', '{"id":2}']
      expect(await table.deliver(records, { CopyOptions, DataTableColumns })).toEqual([])
      expect(await table.rows('*')).toEqual([
        { id: 1, 'Quoted Name': 'b', left_out: null },
        { id: 2, 'Quoted Name': null, left_out: null },
      ])
    })

    test('JSON by the paths of a file', async () => {
      await using table = await Table.create('id int, name text')
      await mkdir(join(folder, 'paths'), { recursive: true })
      const file = join(folder, 'paths', 'events.json')
      const load = () =>
        table.deliver(['{"a":1,"b":["x"]}'], { CopyOptions: "JSON 's3://paths/events.json'" })
      const incorrect = {
        errorCode: 'Redshift.IncorrectJsonPathsFile',
        effect: 'none',
        retryable: true,
        brake: true,
      }
      expect(await failureOf(load())).toMatchObject(incorrect)
      await writeFile(file, '{"jsonpaths":"$.a"}')
      expect(await failureOf(load())).toMatchObject(incorrect)
      await writeFile(file, '{"jsonpaths":["$.a","$.b[0]"]}')
      expect(await load()).toEqual([])
      expect(await table.rows('id, name')).toEqual([{ id: 1, name: 'x' }])
    })
  })

  describe('once', () => {
    test('a batch whose COMMIT was answered into the void is not loaded again', async () => {
      await using table = await Table.create('id int')
      const server = required(postgres)
      await using proxy = await FaultProxy.start(server.port)
      const stream = table.stream({ CopyOptions: 'CSV' }, { ...server, port: proxy.port })
      const batch = batchOf(['1', 'x', '2'])
      await proxy.become({ kind: 'lose reply', marker: 'COMMIT\0' })
      expect(await failureOf(deliverByHand(table.destination, stream, batch))).toMatchObject({
        errorCode: 'Redshift.ConnectionFailed',
        retryable: true,
        effect: 'unknown',
        brake: false,
      })
      await proxy.become({ kind: 'pass' })
      const failures = await deliverByHand(table.destination, stream, batch)
      expect(failures).toEqual([refused(1, '22P02', expect.stringContaining('"x"'))])
      expect(await table.rows('id')).toEqual([{ id: 1 }, { id: 2 }])
    })

    test('a connection that breaks before COMMIT has loaded nothing', async () => {
      await using table = await Table.create('id int')
      const server = required(postgres)
      await using proxy = await FaultProxy.start(server.port)
      const stream = table.stream({ CopyOptions: 'CSV' }, { ...server, port: proxy.port })
      await proxy.become({ kind: 'lose reply', marker: 'FROM STDIN' })
      const batch = batchOf(['1', '2'])
      expect(await failureOf(deliverByHand(table.destination, stream, batch))).toMatchObject({
        effect: 'none',
        retryable: true,
      })
      expect(await table.rows('id')).toEqual([])
    })

    test('two attempts at once load a batch once', async () => {
      await using table = await Table.create('id int')
      const stream = table.stream({ CopyOptions: 'CSV' })
      const batch = batchOf(Array.from({ length: 2_000 }, (_, index) => String(index)))
      const outputs = await encodeByHand(table.destination, stream, batch)
      const load = required(outputs.at(-1))
      await Promise.all(
        Array.from({ length: 4 }, () => table.destination.deliver(deliverJob(load, stream, batch))),
      )
      expect(await table.rows('count(*)::int')).toEqual([{ count: 2_000 }])
    })
  })

  describe('failures as a whole', () => {
    test.each([
      ['Redshift.TableNotFound', { DataTableName: 'missing' }],
      ['Redshift.TableNotFound', { DataTableName: 'missing.events' }],
      ['Redshift.ColumnNotFound', { DataTableColumns: 'id, missing' }],
      ['Redshift.IncorrectJsonPathsFile', { CopyOptions: `JSON '{"jsonpaths":["$.a","$.b"]}'` }],
    ])('%s brakes: %j', async (errorCode, members) => {
      await using table = await Table.create('id int')
      const attempt = table.deliver(['1'], { CopyOptions: 'CSV', ...members })
      expect(await failureOf(attempt)).toMatchObject({
        errorCode,
        retryable: true,
        effect: 'none',
        brake: true,
      })
    })

    test.each([
      ['Redshift.AuthenticationFailed', { password: 'wrong-secret' }],
      ['Redshift.DatabaseNotFound', { database: 'missing' }],
    ])('%s brakes, and tells no password', async (errorCode, members) => {
      await using table = await Table.create('id int')
      const server = { ...required(postgres), ...members }
      const stream = table.stream({ CopyOptions: 'CSV' }, server)
      const failure = await failureOf(deliverByHand(table.destination, stream, batchOf(['1'])))
      expect(failure).toMatchObject({ errorCode, retryable: true, effect: 'none', brake: true })
      expect(failure.message).not.toContain(server.password)
    })

    test('nobody listens', async () => {
      await using table = await Table.create('id int')
      const server = { ...required(postgres), port: await freePort() }
      const stream = table.stream({ CopyOptions: 'CSV' }, server)
      expect(
        await failureOf(deliverByHand(table.destination, stream, batchOf(['1']))),
      ).toMatchObject({
        errorCode: 'Redshift.ConnectionFailed',
        retryable: true,
        effect: 'none',
        brake: false,
      })
    })

    test('a server that does not answer, when the attempt is aborted', async () => {
      await using table = await Table.create('id int')
      const server = required(postgres)
      await using proxy = await FaultProxy.start(server.port)
      await proxy.become({ kind: 'hang' })
      const stream = table.stream({ CopyOptions: 'CSV' }, { ...server, port: proxy.port })
      const attempt = deliverByHand(table.destination, stream, batchOf(['1']), {
        signal: AbortSignal.timeout(200),
      })
      expect(await failureOf(attempt)).toMatchObject({
        errorCode: 'Redshift.ConnectionFailed',
        message: 'Cannot connect to the database: the attempt was aborted',
        effect: 'none',
      })
    })

    test('no permission to write', async () => {
      await using table = await Table.create('id int')
      await table.run(`CREATE ROLE ${table.name}_reader LOGIN PASSWORD 'standpipe-test'`)
      await table.deliver([''], { CopyOptions: 'CSV' })
      await table.run(`GRANT ALL ON standpipe_ledger TO ${table.name}_reader`)
      const server = { ...required(postgres), user: `${table.name}_reader` }
      const stream = table.stream({ CopyOptions: 'CSV' }, server)
      const failure = await failureOf(deliverByHand(table.destination, stream, batchOf(['1'])))
      await table.run(`DROP OWNED BY ${table.name}_reader; DROP ROLE ${table.name}_reader`)
      expect(failure).toMatchObject({ errorCode: 'Redshift.InsufficientPrivilege', brake: true })
    })
  })

  test('10,000 rows arrive', async () => {
    await using table = await Table.create('id int, name text')
    const records = Array.from({ length: 10_000 }, (_, index) => `{"id":${index},"name":"n"}\n`)
    expect(await table.deliver(records, { CopyOptions: "JSON 'auto'" })).toEqual([])
    expect(await table.rows('count(distinct id)::int')).toEqual([{ count: 10_000 }])
  })

  test.each<[where: string, connections: Connections]>([
    ['connections', { ...NO_CONNECTIONS, find: () => credentials() }],
    ['a secret', { find: () => undefined, secret: () => Promise.resolve(credentials()) }],
  ])('username and password come from %s', async (where, connections) => {
    await using table = await Table.create('id int', undefined, connections)
    const { Username: _user, Password: _password, ...members } = configurationOf(required(postgres))
    const secret = { SecretsManagerConfiguration: { Enabled: true, SecretARN: 'arn:secret' } }
    const stream = streamOf(
      redshift,
      created({
        ...members,
        ...(where === 'a secret' && secret),
        CopyCommand: { DataTableName: table.name, CopyOptions: 'CSV' },
      }),
    )
    expect(await deliverByHand(table.destination, stream, batchOf(['1']))).toEqual([])
    expect(await table.rows('id')).toEqual([{ id: 1 }])
  })
})

describe.runIf(postgres?.tlsCa !== undefined)('TLS', () => {
  const ca = (): Connections => ({
    ...NO_CONNECTIONS,
    find: () => ({ tlsCa: required(postgres?.tlsCa) }),
  })

  test.each([
    ['', ca, true],
    ['?sslmode=verify-full', ca, true],
    ['?sslmode=require', () => NO_CONNECTIONS, true],
    ['?sslmode=disable', ca, false],
    ['', () => NO_CONNECTIONS, false],
  ])('a URL that ends in "%s"', async (ending, connections, isEncrypted) => {
    await using table = await Table.create('id int, encrypted boolean', undefined, connections())
    await table.run(
      `CREATE FUNCTION ${table.name}_tls() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        SELECT ssl INTO NEW.encrypted FROM pg_stat_ssl WHERE pid = pg_backend_pid(); RETURN NEW;
      END $$`,
    )
    await table.run(
      `CREATE TRIGGER tls BEFORE INSERT ON ${table.name} FOR EACH ROW EXECUTE FUNCTION ${table.name}_tls()`,
    )
    const stream = table.stream({ CopyOptions: 'CSV', DataTableColumns: 'id' })
    const configuration = stream.destination
    const ClusterJDBCURL = `${configuration['ClusterJDBCURL'] as string}${ending}`
    const secured = { ...stream, destination: { ...configuration, ClusterJDBCURL } }
    expect(await deliverByHand(table.destination, secured, batchOf(['1']))).toEqual([])
    expect(await table.rows('id, encrypted')).toEqual([{ id: 1, encrypted: isEncrypted }])
    await table.run(`DROP FUNCTION ${table.name}_tls CASCADE`)
  })

  test('a certificate of nobody we know is refused', async () => {
    await using table = await Table.create('id int')
    const stream = table.stream({ CopyOptions: 'CSV' })
    const ClusterJDBCURL = `${stream.destination['ClusterJDBCURL'] as string}?sslmode=verify-full`
    const secured = { ...stream, destination: { ...stream.destination, ClusterJDBCURL } }
    const failure = failureOf(deliverByHand(table.destination, secured, batchOf(['1'])))
    expect(await failure).toMatchObject({
      errorCode: 'Redshift.ConnectionFailed',
      message: expect.stringContaining('self-signed certificate'),
      effect: 'none',
    })
  })
})

function credentials() {
  const { user: username, password } = required(postgres)
  return { username, password }
}
