import { describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../src/destination.ts'
import { checkRedshiftOptions, parseCopyOptions } from './copy-options.ts'

const DEFAULTS = parseCopyOptions('')

test.each([
  ['', {}],
  ['csv', { format: 'csv', delimiter: ',' }],
  [`CSV QUOTE AS '''' DELIMITER ';'`, { format: 'csv', delimiter: ';', quote: "'" }],
  [`FORMAT AS CSV`, { format: 'csv', delimiter: ',' }],
  [`DELIMITER '\\t' ESCAPE`, { delimiter: '\t', escape: true }],
  [`delimiter as '\\036'`, { delimiter: '\u001e' }],
  [`JSON 'auto ignorecase'`, { format: 'json', jsonPaths: 'auto ignorecase' }],
  [`JSON AS '{"jsonpaths":["$.a[0]","$"]}'`, { format: 'json', jsonPaths: [['a', 0], []] }],
  [`NULL AS ''`, { nullAs: '' }],
  [
    'EMPTYASNULL BLANKSASNULL TRUNCATECOLUMNS TRIMBLANKS FILLRECORD IGNOREBLANKLINES',
    {
      emptyAsNull: true,
      blanksAsNull: true,
      truncateColumns: true,
      trimBlanks: true,
      fillRecord: true,
      ignoreBlankLines: true,
    },
  ],
  [`MAXERROR AS 0`, { maxError: 1 }],
  [`MAXERROR 10 GZIP`, { maxError: 10, compression: 'GZIP' }],
  [`COMPUPDATE OFF STATUPDATE FALSE ROUNDEC IGNOREHEADER 0 ENCODING AS 'UTF8'`, {}],
  [`DATEFORMAT 'auto' TIMEFORMAT AS 'auto'`, {}],
  [`UPSERT (Id, "Part Of")`, { upsertKey: ['id', 'Part Of'] }],
])('%s', (text, members) => {
  expect(parseCopyOptions(text)).toEqual({ ...DEFAULTS, ...members })
})

describe('refused by name', () => {
  test.each([
    ['PARQUET', 'The COPY option PARQUET is not supported on PostgreSQL'],
    ['FORMAT AVRO', 'The COPY option AVRO is not supported on PostgreSQL'],
    [`REGION 'eu-west-1'`, 'The COPY option REGION is not supported on PostgreSQL'],
    ['CONSTRUCTOR', 'The COPY option CONSTRUCTOR is not supported on PostgreSQL'],
    ['COMPUPDATE ON', 'The COPY option COMPUPDATE is not supported on PostgreSQL'],
    [`JSON 'noshred'`, "The COPY option JSON 'noshred' is not supported on PostgreSQL"],
    [`ENCODING 'UTF16'`, "The COPY option ENCODING 'UTF16' is not supported on PostgreSQL"],
    [
      'IGNOREHEADER 1',
      'IGNOREHEADER is not supported on PostgreSQL: a batch of records has no header',
    ],
    [`DATEFORMAT 'YYYY-WW'`, "The COPY option DATEFORMAT 'YYYY-WW' is not supported on PostgreSQL"],
    ['CSV ESCAPE', 'The COPY option ESCAPE cannot be used with csv'],
    [`DELIMITER ', '`, "The COPY option DELIMITER must be one character, not ', '"],
    ['DELIMITER', 'CopyOptions must have a text in quotes after DELIMITER, not their end'],
    ['MAXERROR CSV', "CopyOptions must have a number after MAXERROR, not 'CSV'"],
    ['UPSERT id', "CopyOptions must have names in parentheses after UPSERT, not 'id'"],
    [`'CSV'`, "CopyOptions must have an option, not 'CSV'"],
    [`JSON '{"jsonpaths":[]}'`, 'Invalid jsonpaths'],
    [`JSON '{"jsonpaths":["a"]}'`, "Invalid JSONPath 'a'"],
    [`JSON '{"jsonpaths":["$.a[*]"]}'`, "Invalid JSONPath '$.a[*]'"],
  ])('%s', (text, message) => {
    const attempt = () => parseCopyOptions(text)
    expect(attempt).toThrow(ConfigurationError)
    expect(attempt).toThrow(message)
  })
})

test.each([
  `CSV; DROP TABLE x`,
  `CSV -- rest`,
  `CSV /* rest */`,
  `DELIMITER '\\''; DROP TABLE x; --'`,
  `DELIMITER '`,
  `CSV $$`,
])('%s is never sent to a cluster', (text) => {
  expect(() => checkRedshiftOptions(text)).toThrow('CopyOptions cannot be read from')
})
