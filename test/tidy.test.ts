/** The house rules of this repository, as data, and the proof that each rule can be broken. */
import { describe, expect, test } from 'vitest'
import {
  destinationFolders,
  documents,
  forbiddenImports,
  importCycles,
  leftoverMarks,
  longFiles,
  roomsToldOtherwise,
  silencedTests,
  timeAndChance,
} from './tidy/rules.ts'
import type { RoomTable } from './tidy/rules.ts'
import { readSourceTree } from './tidy/source-tree.ts'
import type { SourceFile } from './tidy/source-tree.ts'

/** Which room may import which, beside itself. Nouns are the contracts in src/*.ts. */
const ROOMS: RoomTable = {
  base: [],
  formats: [],
  nouns: ['base'],
  settings: ['base', 'nouns'],
  objects: ['base', 'nouns', 'formats', 'processors'],
  requests: ['base', 'nouns'],
  processors: ['base', 'nouns', 'formats'],
  functions: ['base', 'nouns'],
  tables: ['base', 'nouns'],
  pipeline: ['base', 'nouns', 'formats', 'processors'],
  replay: ['base', 'nouns', 'formats', 'objects', 'pipeline'],
  threads: ['base', 'nouns', 'pipeline'],
  embedded: ['base', 'nouns', 'formats', 'pipeline'],
  redis: ['base', 'nouns', 'formats', 'pipeline'],
  transfer: ['base', 'nouns', 'formats'],
  backends: ['base', 'nouns', 'settings', 'pipeline', 'embedded', 'redis', 'transfer'],
  api: ['base', 'nouns', 'formats', 'pipeline'],
  sources: ['base', 'nouns', 'formats', 'processors', 'pipeline', 'redis'],
  tail: ['base'],
  generator: ['base'],
  cli: [
    'base',
    'nouns',
    'formats',
    'functions',
    'settings',
    'api',
    'embedded',
    'transfer',
    'backends',
    'tail',
    'generator',
    'entry',
  ],
  destinations: ['base', 'nouns', 'formats', 'objects', 'requests', 'processors'],
}
/** Files that know everything: the composition root with its parts, and the doors. */
const ENTRIES = [
  'src/engine.ts',
  'src/service.ts',
  'src/delivery-thread.ts',
  'src/processor-tools.ts',
  'src/deferred-explainer.ts',
  'src/main.ts',
  'src/index.ts',
]
const CLOCK = 'src/base/clock.ts'
const LINES_MAX = 400
const DESTINATION_FILES = ['index.ts']
const DOCUMENTS = [
  'README.md',
  'ARCHITECTURE.md',
  'docs/compatibility.md',
  'docs/operations.md',
  'docs/producers.md',
  'docs/processing.md',
  'docs/sources.md',
  'docs/performance.md',
]

function roomRows(rooms: RoomTable): string {
  const rows = Object.entries(rooms).map(
    ([room, allowed]) => `| \`${room}\` | … | ${allowed.join(', ')} |`,
  )
  return rows.join('\n')
}

interface Rule {
  readonly name: string
  readonly check: (files: readonly SourceFile[]) => readonly string[]
  /** Files that break the rule, and what must be said of them. */
  readonly planted: Readonly<Record<string, string>>
  readonly breaches: readonly string[]
}

const RULES: readonly Rule[] = [
  {
    name: 'imports point downwards, and only the entries know everything',
    check: (files) => forbiddenImports(files, ROOMS, ENTRIES),
    planted: {
      'src/service.ts': "import { a } from './embedded/a.ts'",
      'src/batch.ts': "import type { Intake } from './pipeline/intake.ts'",
      'src/api/server.ts': "import {\n  Files,\n} from '../embedded/files.ts'",
      'src/formats/gzip.ts': "export type { Clock } from '../base/clock.ts'",
      'src/attic/old.ts': '',
      'destinations/s3/deliver.ts': "const other = await import('../splunk/index.ts')",
      'src/pipeline/delivery.ts': "new Worker(new URL('../embedded/worker.ts', import.meta.url))",
    },
    breaches: [
      'src/batch.ts: imports src/pipeline/intake.ts',
      'src/api/server.ts: imports src/embedded/files.ts',
      'src/formats/gzip.ts: imports src/base/clock.ts',
      'src/attic/old.ts: is in no known room',
      'destinations/s3/deliver.ts: imports destinations/splunk/index.ts',
      'src/pipeline/delivery.ts: imports src/embedded/worker.ts',
    ],
  },
  {
    name: 'no module imports itself by a detour',
    check: importCycles,
    planted: {
      'src/a.ts': "import { b } from './b.ts'",
      'src/b.ts': "import { c } from './c.ts'",
      'src/c.ts': "import { a } from './a.ts'\nimport type { b } from './b.ts'",
      'src/d.ts': "import type { e } from './e.ts'",
      'src/e.ts': "import type { d } from './d.ts'",
    },
    breaches: ['src/a.ts → src/b.ts → src/c.ts → src/a.ts'],
  },
  {
    name: 'ARCHITECTURE.md tells the same table of rooms',
    check: (files) => roomsToldOtherwise(files, ROOMS),
    planted: { 'ARCHITECTURE.md': roomRows({ ...ROOMS, api: ['base'], attic: [] }) },
    breaches: ['ARCHITECTURE.md: api may import base', 'ARCHITECTURE.md: attic may import nothing'],
  },
  {
    name: 'time and chance come through the clock only',
    check: (files) => timeAndChance(files, CLOCK),
    planted: {
      [CLOCK]: 'Date.now()',
      'src/a.ts': '// Date.now() is not for us\nclock.randomBytes(8); setTimeout(run, 5)',
      'destinations/s3/index.ts': "import { randomUUID } from 'node:crypto'",
      'src/a.test.ts': 'Math.random()',
    },
    breaches: ['src/a.ts: uses setTimeout', 'destinations/s3/index.ts: uses randomUUID'],
  },
  {
    name: `no file has more than ${LINES_MAX} lines`,
    check: (files) => longFiles(files, LINES_MAX),
    planted: { 'src/a.ts': '//\n'.repeat(400), 'test/b.ts': '//\n'.repeat(401) },
    breaches: ['test/b.ts: has 401 lines'],
  },
  {
    name: 'no test is singled out, and none is silenced without a reason',
    check: silencedTests,
    planted: {
      'src/a.test.ts': "test.only('a', run)\n// Reason.\ntest.skip('b', run)",
      'src/b.test.ts': "describe.each([1]).skip('a', run)",
    },
    breaches: ['src/a.test.ts:1: only without a reason', 'src/b.test.ts:1: skip without a reason'],
  },
  {
    name: 'nothing is left unfinished',
    check: leftoverMarks,
    planted: { 'docs/a.md': 'Fine\nTODO: later' },
    breaches: ['docs/a.md:2: unfinished'],
  },
  {
    name: 'every destination has its files and its line in the index',
    check: (files) => destinationFolders(files, DESTINATION_FILES),
    planted: {
      'destinations/index.ts': "import { s3 } from './s3/index.ts'",
      'destinations/s3/index.ts': '',
      'destinations/splunk/deliver.ts': '',
    },
    breaches: ['destinations/splunk: has no index.ts', 'destinations/splunk: is not in the index'],
  },
  {
    name: 'the documents exist and lead to each other',
    check: (files) => documents(files, DOCUMENTS),
    planted: {
      ...Object.fromEntries(DOCUMENTS.slice(1).map((path) => [path, ''])),
      'docs/operations.md': '[there](performance.md#limits) and [nowhere](../missing.md)',
    },
    breaches: [
      'README.md: is missing',
      'docs/operations.md: links to ../missing.md, which is not there',
    ],
  },
]

describe.each(RULES)('$name', ({ check, planted, breaches }) => {
  test('holds', () => {
    expect(check(readSourceTree())).toEqual([])
  })

  test('is broken by a planted breach', () => {
    const files = Object.entries(planted).map(([path, text]) => ({ path, text }))
    expect(check(files)).toEqual(breaches)
  })
})
