/** Rows that a real Postgres refuses, and rows that replace others. */
import { describe, expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { batchOf, deliverByHand } from '../fakes/hand-delivery.ts'
import { failureOf, postgres, refused, Table } from './postgres-table.ts'

describe.runIf(available('Postgres', postgres !== undefined))('Postgres', () => {
  describe('rows that the table refuses', () => {
    test('go to the error output with the reason, and the others load', async () => {
      await using table = await Table.create(
        'id int primary key, name varchar(3) not null, n int check (n > 0)',
      )
      const records = [
        '1,a,1',
        'x,b,1',
        '1,c,1',
        '2,,',
        '3,long,1',
        '4,d,0',
        '5,e',
        '6,"f',
        '7,g,7',
      ]
      expect(
        await table.deliver([...records, Buffer.from([0xff])], { CopyOptions: 'CSV EMPTYASNULL' }),
      ).toEqual([
        refused(1, '22P02', 'invalid input syntax for type integer: "x" (column id)'),
        refused(2, '23505', expect.stringContaining('duplicate key value')),
        refused(3, '23502', expect.stringContaining('null value in column "name"')),
        refused(4, '22001', expect.stringContaining('value too long')),
        refused(5, '23514', expect.stringContaining('violates check constraint')),
        refused(6, '22P04', 'missing data for column "n"'),
        refused(7, '22P04', 'unterminated CSV quoted field'),
        refused(9, '22021', 'invalid byte sequence for encoding "UTF8"'),
      ])
      expect(await table.rows('id')).toEqual([{ id: 1 }, { id: 7 }])
    })

    test('a record of several rows loads as a whole or not at all', async () => {
      await using table = await Table.create('id int')
      const failures = await table.deliver(['1\n2\n', '3\nx\n', '4\n'], { CopyOptions: 'CSV' })
      expect(failures.map(({ ordinal }) => ordinal)).toEqual([1])
      expect(await table.rows('id')).toEqual([{ id: 1 }, { id: 2 }, { id: 4 }])
    })

    test('are not mistaken for others by what they hold', async () => {
      await using table = await Table.create('id int')
      const failures = await table.deliver(['1', '2', '"COPY x, line 1, column y"', '4'], {
        CopyOptions: 'CSV',
      })
      expect(failures.map(({ ordinal }) => ordinal)).toEqual([2])
      expect(await table.rows('id')).toEqual([{ id: 1 }, { id: 2 }, { id: 4 }])
    })

    test('are every other one, so that parts are copied again', async () => {
      await using table = await Table.create('id int')
      const records = Array.from({ length: 1_000 }, (_, index) =>
        index % 2 === 0 ? `x${index}` : String(index),
      )
      const failures = await table.deliver(records, { CopyOptions: 'CSV' })
      expect(failures).toHaveLength(500)
      expect(await table.rows('count(distinct id)::int')).toEqual([{ count: 500 }])
    })

    test('are found where the server does not name them', async () => {
      await using parents = await Table.create('id int primary key')
      await parents.run(`INSERT INTO ${parents.name} VALUES (1), (2)`)
      await using table = await Table.create(
        `id int references ${parents.name} deferrable initially deferred`,
      )
      const failures = await table.deliver(['1', '3', '2', '4', '1'], { CopyOptions: 'CSV' })
      expect(failures.map(({ ordinal, errorCode }) => [ordinal, errorCode])).toEqual([
        [1, '23503'],
        [3, '23503'],
      ])
      expect(await table.rows('id')).toEqual([{ id: 1 }, { id: 1 }, { id: 2 }])
    })

    test('one in a hundred of 10,000', async () => {
      await using table = await Table.create('id int')
      const records = Array.from({ length: 10_000 }, (_, index) =>
        index % 100 === 7 ? `x${index}` : String(index),
      )
      const failures = await table.deliver(records, { CopyOptions: 'CSV' })
      expect(failures.map(({ ordinal }) => ordinal)).toEqual(
        records.flatMap((record, index) => (record.startsWith('x') ? [index] : [])),
      )
      expect(await table.rows('count(*)::int, count(distinct id)::int AS ids')).toEqual([
        { count: 9_900, ids: 9_900 },
      ])
    })

    test('with MAXERROR, too many fail the load as a whole', async () => {
      await using table = await Table.create('id int')
      const attempt = table.deliver(['1', 'x', 'y'], { CopyOptions: 'CSV MAXERROR 2' })
      expect(await failureOf(attempt)).toMatchObject({
        errorCode: 'Redshift.DataLoadFailed',
        retryable: true,
        effect: 'none',
      })
      expect(await table.rows('id')).toEqual([])
    })

    test('are tried again when they come again, and only they', async () => {
      await using table = await Table.create('id int check (id < 10)')
      const batch = batchOf(['1', '20', '2'])
      const stream = table.stream({ CopyOptions: 'CSV' })
      expect(await deliverByHand(table.destination, stream, batch)).toMatchObject([{ ordinal: 1 }])
      expect(await deliverByHand(table.destination, stream, batch)).toMatchObject([{ ordinal: 1 }])
      await table.run(`ALTER TABLE ${table.name} DROP CONSTRAINT ${table.name}_id_check`)
      expect(await deliverByHand(table.destination, stream, batch)).toEqual([])
      expect(await deliverByHand(table.destination, stream, batch)).toEqual([])
      expect(await table.rows('id')).toEqual([{ id: 1 }, { id: 2 }, { id: 20 }])
    })
  })

  describe('upsert', () => {
    test('replaces rows by their key, the last of a batch counts', async () => {
      await using table = await Table.create('id int, part text, name text, primary key (id, part)')
      const members = { CopyOptions: "JSON 'auto' UPSERT (part, ID)" }
      const row = (id: number | null, name: string) => JSON.stringify({ id, part: 'p', name })
      expect(await table.deliver([row(1, 'a'), row(2, 'b')], members)).toEqual([])
      expect(await table.deliver([row(2, 'c'), row(3, 'd'), row(2, 'e')], members)).toEqual([])
      expect(
        await table.deliver([row(null, 'f'), '{"id":"x","part":"p"}', row(1, 'g')], members),
      ).toEqual([
        refused(0, '23502', 'null value in column "id" of the key of UPSERT'),
        refused(1, '22P02', expect.stringContaining('(column id)')),
      ])
      expect(await table.rows('id, name')).toEqual([
        { id: 1, name: 'g' },
        { id: 2, name: 'e' },
        { id: 3, name: 'd' },
      ])
    })

    test('finds rows that only the merge refuses', async () => {
      await using table = await Table.create('id int primary key, name text unique')
      const records = Array.from({ length: 100 }, (_, index) => `${index},n${index % 99}`)
      const failures = await table.deliver(records, { CopyOptions: 'CSV UPSERT (id)' })
      expect(failures).toEqual([refused(99, '23505', expect.stringContaining('name'))])
    })

    test('without a unique index, an operator is asked for', async () => {
      await using table = await Table.create('id int, name text')
      const attempt = table.deliver(['1,a'], { CopyOptions: 'CSV UPSERT (id)' })
      expect(await failureOf(attempt)).toMatchObject({
        errorCode: 'Redshift.IncorrectCopyOptions',
        brake: true,
      })
    })
  })
})
