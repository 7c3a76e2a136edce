/** The `secrets` setting as it is written becomes what HostConnections reads secrets from. */
import { isJsonObject } from '../base/json.ts'
import type { JsonObject } from '../base/json.ts'
import type { SecretSetting } from './connection-settings.ts'
import { readPlacedFile, readVariable } from './placed-value.ts'
import { parseSecret, SECRET_BYTES_MAX } from './secret-text.ts'
import { SettingsError } from './sources.ts'
import type { Environment } from './sources.ts'

const SECRET_ARN = /^arn:[^:]*:secretsmanager:[^:]*:\d{12}:secret:[\w/+=.@!-]+$/

/**
 * A file stays where it is, for it is read anew whenever the secret is used; that it can be read now
 * is checked all the same.
 * @param place what to blame, e.g. `secrets in standpipe.yaml`
 * @throws SettingsError, which never tells a value
 */
export function readSecrets(
  value: unknown,
  environment: Environment,
  place: string,
): Readonly<Record<string, SecretSetting>> {
  if (!isJsonObject(value)) throw new SettingsError(`Cannot use ${place}: must be an object by ARN`)
  const secrets = Object.entries(value).map(([arn, entry]): [string, SecretSetting] => {
    if (!SECRET_ARN.test(arn)) {
      throw new SettingsError(
        `Cannot use ${place}: ${arn} is no ARN of a secret ` +
          '(arn:aws:secretsmanager:<region>:<12 digits>:secret:<name>)',
      )
    }
    return [arn, readSecret(entry, environment, `Cannot use ${place}: ${arn}`)]
  })
  return Object.fromEntries(secrets)
}

function readSecret(entry: unknown, environment: Environment, subject: string): SecretSetting {
  const [[kind, content] = ['', ''], second]: [string, unknown][] = isJsonObject(entry)
    ? Object.entries(entry)
    : []
  if (second === undefined) {
    if (kind === 'file' && typeof content === 'string') {
      parsed(readPlacedFile(content, SECRET_BYTES_MAX, subject), subject)
      return { file: content }
    }
    if (kind === 'env' && typeof content === 'string') {
      return { value: parsed(readVariable(content, environment, subject), subject) }
    }
    if (kind === 'value' && isJsonObject(content)) {
      return { value: parsed(JSON.stringify(content), subject) }
    }
  }
  throw new SettingsError(`${subject} must be {file: path}, {env: NAME} or {value: {…}}`)
}

function parsed(text: string, subject: string): JsonObject {
  try {
    return parseSecret(text)
  } catch (error) {
    throw new SettingsError(`${subject} ${(error as Error).message}`, { cause: error })
  }
}
