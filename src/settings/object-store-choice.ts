import { join } from 'node:path'
import type { Settings } from './schema.ts'
import type { Environment } from './sources.ts'

/** Where objects go, and why. */
export interface ObjectStoreChoice {
  readonly kind: 's3' | 'folder'
  /** An endpoint's URL, `AWS S3`, or the folder's path. */
  readonly place: string
  readonly reason: string
}

/** Signs that the AWS SDK will find credentials without asking the network first. */
const CREDENTIAL_VARIABLES = [
  'AWS_ACCESS_KEY_ID',
  'AWS_PROFILE',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
]

export function chooseObjectStore(
  settings: Pick<Settings, 's3Endpoint' | 'dataDir'>,
  environment: Environment,
): ObjectStoreChoice {
  if (settings.s3Endpoint !== undefined) {
    return { kind: 's3', place: settings.s3Endpoint, reason: 's3Endpoint is set' }
  }
  const variable = CREDENTIAL_VARIABLES.find((name) => Boolean(environment[name]))
  if (variable !== undefined) {
    return { kind: 's3', place: 'AWS S3', reason: `AWS credentials are announced by ${variable}` }
  }
  return {
    kind: 'folder',
    place: join(settings.dataDir, 'buckets'),
    reason: 's3Endpoint is not set and the environment holds no AWS credentials',
  }
}
