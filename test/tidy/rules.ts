/**
 * The house rules, as functions from the tree to its breaches. What they compare with (the table of
 * rooms, the limits, the documents) is the data in test/tidy.test.ts.
 */
import { importsOf, isProduct, isTest, withoutComments } from './source-tree.ts'
import type { SourceFile } from './source-tree.ts'

/** A breach: where, and what. */
export type Breach = string

export type RoomTable = Readonly<Record<string, readonly string[]>>

/** The room a product file is in: its folder under src/, or what it is. */
export function roomOf(path: string, entries: readonly string[]): string {
  if (entries.includes(path)) return 'entry'
  const [top, folder, rest] = path.split('/')
  if (top === 'destinations') return rest === undefined ? 'destinations' : `destinations/${folder}`
  if (rest !== undefined) return folder ?? ''
  // A noun that grew: src/settings.ts is the door of src/settings/.
  return folder === 'settings.ts' ? 'settings' : 'nouns'
}

export function forbiddenImports(
  files: readonly SourceFile[],
  rooms: RoomTable,
  entries: readonly string[],
): Breach[] {
  return files
    .filter(({ path }) => isProduct(path))
    .flatMap((file) => {
      const room = roomOf(file.path, entries)
      if (room === 'entry') return []
      const allowed = rooms[room.split('/')[0] ?? '']
      if (allowed === undefined) return [`${file.path}: is in no known room`]
      return importsOf(file)
        .filter(({ target }) => /^(src|destinations|test|bench)\//.test(target))
        .filter(({ target }) => {
          const other = isTest(target) ? 'test' : roomOf(target, entries)
          // The table of destinations names each of them.
          const inTable = room === 'destinations' && other.startsWith('destinations/')
          return other !== room && !inTable && !allowed.includes(other)
        })
        .map(({ target }) => `${file.path}: imports ${target}`)
    })
}

/** The rows of ARCHITECTURE.md's table of rooms that aren't those of `rooms`, and those missing there. */
export function roomsToldOtherwise(files: readonly SourceFile[], rooms: RoomTable): Breach[] {
  const text = files.find(({ path }) => path === 'ARCHITECTURE.md')?.text ?? ''
  const rows = [...text.matchAll(/^\| `(\w+)` +\|[^|]*\|([^|]*)\|$/gm)]
  const told = new Map(rows.map(([, room = '', allowed = '']) => [room, allowed.trim()]))
  const held = new Map(Object.entries(rooms).map(([room, allowed]) => [room, allowed.join(', ')]))
  held.set('entry', 'everything')
  const missing = [...held.keys()].filter((room) => !told.has(room) && room !== 'entry')
  return [
    ...[...told]
      .filter(([room, allowed]) => held.get(room) !== allowed)
      .map(([room, allowed]) => `ARCHITECTURE.md: ${room} may import ${allowed || 'nothing'}`),
    ...missing.map((room) => `ARCHITECTURE.md: ${room} is missing`),
  ]
}

/** Cycles of imports that exist at run time; types may refer to each other. */
export function importCycles(files: readonly SourceFile[]): Breach[] {
  const graph = new Map(
    files
      .filter(({ path }) => isProduct(path))
      .map((file) => [file.path, importsOf(file).filter(({ typeOnly }) => !typeOnly)]),
  )
  const done = new Set<string>()
  const breaches: Breach[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      breaches.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
      return
    }
    if (done.has(path)) return
    for (const { target } of graph.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return breaches
}

/** `socket.setTimeout()` is a limit that Node keeps for us, not a timer of ours. */
const TIME_OR_CHANCE =
  /new Date\(\)|(?<!\.)\bset(?:Timeout|Interval)\b|\b(?:Date\.now|performance\.now|process\.hrtime|node:timers|Math\.random|randomUUID|randomBytes|randomInt|getRandomValues)\b/g

/** Only one file may read clocks, set timers or draw random numbers; its methods may be called. */
export function timeAndChance(files: readonly SourceFile[], door: string): Breach[] {
  return files
    .filter(({ path }) => isProduct(path) && path !== door)
    .flatMap(({ path, text }) => {
      const code = withoutComments(text).replaceAll(/\bclock\.randomBytes\b/gi, '')
      return [...code.matchAll(TIME_OR_CHANCE)].map(([word]) => `${path}: uses ${word}`)
    })
}

export function longFiles(files: readonly SourceFile[], linesMax: number): Breach[] {
  return files
    .filter(({ path }) => /\.(ts|js)$/.test(path))
    .map(({ path, text }) => ({ path, lineCount: text.trimEnd().split('\n').length }))
    .filter(({ lineCount }) => lineCount > linesMax)
    .map(({ path, lineCount }) => `${path}: has ${lineCount} lines`)
}

/** `.only` never; `.skip` and `.todo` only right under a comment that gives the reason. */
export function silencedTests(files: readonly SourceFile[]): Breach[] {
  return files
    .filter(({ path }) => isTest(path) && !speaksOfRules(path))
    .flatMap(({ path, text }) => {
      const lines = text.split('\n')
      return lines.flatMap((line, index) => {
        const marker = /\b(?:test|it|describe)\b.*\.(only|skip|todo)\(/.exec(line)?.[1]
        const explained = /^\s*(\/\/|\*)/.test(lines[index - 1] ?? '')
        if (marker === undefined || (marker !== 'only' && explained)) return []
        return [`${path}:${index + 1}: ${marker} without a reason`]
      })
    })
}

export function leftoverMarks(files: readonly SourceFile[]): Breach[] {
  return files
    .filter(({ path }) => !speaksOfRules(path))
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .flatMap((line, index) =>
          /\b(TODO|FIXME|XXX|HACK)\b/.test(line) ? [`${path}:${index + 1}: unfinished`] : [],
        ),
    )
}

/** The rules and their test can't avoid the words they look for. */
function speaksOfRules(path: string): boolean {
  return path.startsWith('test/tidy')
}

/** Every folder of destinations/ has these files and its line in the index. */
export function destinationFolders(
  files: readonly SourceFile[],
  fileNames: readonly string[],
): Breach[] {
  const index = files.find(({ path }) => path === 'destinations/index.ts')?.text ?? ''
  const paths = files.map(({ path }) => path)
  const folders = paths.flatMap((path) => /^destinations\/([^/]+)\//.exec(path)?.[1] ?? [])
  return [...new Set(folders)].flatMap((folder) => {
    const missing = fileNames.filter((name) => !paths.includes(`destinations/${folder}/${name}`))
    const breaches = missing.map((name) => `destinations/${folder}: has no ${name}`)
    return index.includes(`'./${folder}/`)
      ? breaches
      : [...breaches, `destinations/${folder}: is not in the index`]
  })
}

/** Documents that must exist, and links between documents that lead nowhere. */
export function documents(files: readonly SourceFile[], required: readonly string[]): Breach[] {
  const paths = new Set(files.map(({ path }) => path))
  const missing = required.filter((path) => !paths.has(path)).map((path) => `${path}: is missing`)
  const broken = files
    .filter(({ path }) => path.endsWith('.md'))
    .flatMap(({ path, text }) => {
      const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/') + 1) : ''
      return [...text.matchAll(/\]\((?!\w+:|#)([^)#\s]+\.md)(?:#[^)]*)?\)/g)]
        .map(([, link = '']) => ({ link, target: new URL(link, `file:///${folder}`).pathname }))
        .filter(({ target }) => !paths.has(target.slice(1)))
        .map(({ link }) => `${path}: links to ${link}, which is not there`)
    })
  return [...missing, ...broken]
}
