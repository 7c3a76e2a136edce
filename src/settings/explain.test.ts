import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { loadSettings } from '../settings.ts'
import { explainSettings, settingsTable } from './explain.ts'

test('each value is shown with its source, and secrets are masked', () => {
  const loaded = loadSettings({
    flags: { workers: '2' },
    environment: {
      STANDPIPE_ACCESS_KEYS: 'AKID:hush',
      STANDPIPE_SSE_KEY: 'hush',
      STANDPIPE_METRICS_TOKEN: 'hush-hush-hush-hush',
    },
    workingDirectory: '/nowhere',
  })
  const explained = explainSettings(loaded)
  const named = (name: string): object | undefined => explained.find((one) => one.name === name)
  expect(named('workers')).toEqual({ name: 'workers', value: 2, source: '--workers' })
  expect(named('region')).toEqual({ name: 'region', value: 'us-east-1', source: 'default' })
  expect(named('accessKeys')).toEqual({
    name: 'accessKeys',
    value: [{ id: 'AKID', secret: '***' }],
    source: 'STANDPIPE_ACCESS_KEYS',
  })
  expect(JSON.stringify(explained)).not.toContain('hush')
})

test('docs/operations.md holds exactly the table that the schema gives', () => {
  const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8')
  const [, table] =
    /<!-- prettier-ignore-start -->\n([^]*)\n<!-- prettier-ignore-end -->/.exec(text) ?? []
  expect(table?.trim()).toBe(settingsTable())
})

test('the URL of a backend is shown without its password', () => {
  const settings = { backend: 'rediss://app:hush@redis.example:6380/2?prefix=logs' }
  const explained = explainSettings({ settings, origins: new Map() })
  expect(explained.find(({ name }) => name === 'backend')?.value).toBe(
    'rediss://app:***@redis.example:6380/2?prefix=logs',
  )
})
