import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadSettings } from '../../src/settings.ts'
import type { Settings } from '../../src/settings.ts'
import { ROOT } from './programs.ts'

/** What the service makes of a settings file and a container's environment. */
export async function settingsOf(
  text: string,
  environment: Readonly<Record<string, string>>,
): Promise<Settings> {
  const config = join(await mkdtemp(join(tmpdir(), 'settings-')), 'standpipe.yaml')
  await writeFile(config, text)
  const ofTheImage = { STANDPIPE_LISTEN: '0.0.0.0:4573' }
  const sources = { flags: { config }, environment: { ...ofTheImage, ...environment } }
  return loadSettings({ ...sources, workingDirectory: ROOT }).settings
}
