import { explainSettings, settingsTable } from '../settings/explain.ts'
import { chooseObjectStore, flagOptions, loadSettings } from '../settings.ts'
import { columns } from './columns.ts'
import { EXIT } from './exit-code.ts'
import { print, printJson, takePositionals } from './command.ts'
import type { Command } from './command.ts'

export const settings: Command = {
  usage: 'settings [--explain] [--json]',
  summary: 'show what the service would be set to, and why',
  help: `Prints every setting as the service would read it here: flags, environment, file, defaults.

  --explain    also where each value comes from, and where objects would go and why
  --json       the same as JSON
  --markdown   the table of all settings in docs/operations.md

Takes the flags of serve. Secrets are masked.`,
  options: {
    ...flagOptions(),
    explain: { type: 'boolean' },
    json: { type: 'boolean' },
    markdown: { type: 'boolean' },
  },
  async run(invocation) {
    takePositionals(invocation, [])
    const { flags, environment } = invocation
    if (flags['markdown'] === true) {
      print(settingsTable())
      return EXIT.ok
    }
    const loaded = loadSettings({ flags, environment, workingDirectory: process.cwd() })
    const explained = explainSettings(loaded)
    const objectStore = chooseObjectStore(loaded.settings, environment)
    if (flags['json'] === true) {
      printJson({ settings: explained, objectStore })
      return EXIT.ok
    }
    const rows = explained.map(({ name, value, source }) => [name, inWords(value), source])
    const shown = flags['explain'] === true ? rows : rows.map((row) => row.slice(0, 2))
    print(columns(shown))
    if (flags['explain'] === true) {
      print(`\nObjects go to ${objectStore.place}: ${objectStore.reason}.`)
    }
    return EXIT.ok
  },
}

function inWords(value: unknown): string {
  if (value === undefined) return '-'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
