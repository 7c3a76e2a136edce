import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadSettings } from '../settings.ts'
import type { Settings } from '../settings.ts'

const directory = mkdtempSync(join(tmpdir(), 'standpipe-tables-'))
const NAME = { database: 'logs', table: 'access' }
const DDL = 'CREATE TABLE access (a int)'
const DEFINITION = { StorageDescriptor: { Columns: [{ Name: 'a', Type: 'int' }] } }

function fileWith(content: string): string {
  const path = join(mkdtempSync(join(directory, 'file-')), 'table')
  writeFileSync(path, content)
  return path
}

function load(tables: unknown): Settings['tables'] {
  const environment = { STANDPIPE_TABLES: JSON.stringify(tables) }
  return loadSettings({ flags: {}, environment, workingDirectory: directory }).settings.tables
}

test('a table is described in place or in a file, by text or by JSON', () => {
  const tables = load([
    { ...NAME, createTable: DDL },
    { ...NAME, table: 'b', definition: DEFINITION },
    { ...NAME, table: 'c', file: fileWith(DDL) },
    { ...NAME, table: 'd', file: fileWith(`\n${JSON.stringify(DEFINITION)}`) },
  ])
  expect(tables).toEqual([
    { ...NAME, createTable: DDL },
    { ...NAME, table: 'b', definition: DEFINITION },
    { ...NAME, table: 'c', createTable: DDL },
    { ...NAME, table: 'd', definition: DEFINITION },
  ])
})

test.each<[unknown, string]>([
  [{}, ': must be a list'],
  [['x'], ': entry 1 must be an object'],
  [[{ ...NAME, createtable: DDL }], ': entry 1: no such member createtable'],
  [[{ table: 'access', createTable: DDL }], ': entry 1 must have a database and a table'],
  [[NAME], ': entry 1 must have one of createTable (text), definition (an object) and file'],
  [
    [{ ...NAME, createTable: DDL, definition: DEFINITION }],
    ': entry 1 must have one of createTable (text), definition (an object) and file',
  ],
  [[{ ...NAME, definition: DDL }], ': entry 1 must have one of createTable (text), definition'],
  [[{ ...NAME, file: '/nowhere/at/all' }], ': entry 1: its file: ENOENT'],
  [[{ ...NAME, file: fileWith('{"a":') }], ' is no JSON: '],
  [
    [
      { ...NAME, createTable: DDL },
      { database: 'LOGS', table: 'access', createTable: DDL },
    ],
    ': logs.access is there twice',
  ],
])('%j is refused', (tables, message) => {
  expect(() => load(tables)).toThrow('Cannot use STANDPIPE_TABLES')
  expect(() => load(tables)).toThrow(message)
})

test('an endpoint of Glue is a URL without a path', () => {
  const read = (url: string): unknown =>
    loadSettings({
      flags: { 'glue-endpoint': url },
      environment: {},
      workingDirectory: directory,
    }).settings.glueEndpoint
  expect(read('http://localhost:5000')).toBe('http://localhost:5000')
  expect(() => read('localhost:5000')).toThrow(
    'Cannot use --glue-endpoint: must be URL without a path',
  )
})
