import { strict as assert } from 'node:assert'
import type { ConfigurationError } from '../../src/destination.ts'
import { DeliveryError } from '../../src/destination.ts'
import type { ObjectReader } from '../../src/object-store.ts'
import { S3_URL } from './copy-options.ts'
import { parseJsonPaths } from './json-path.ts'
import type { JsonPath } from './json-path.ts'

const FILE_BYTES_MAX = 1024 * 1024

/**
 * The paths in an object, read anew for each batch, as Redshift does.
 * @param url `s3://bucket/key`
 * @throws DeliveryError
 */
export async function readJsonPaths(
  url: string,
  reader: ObjectReader | undefined,
  signal: AbortSignal,
): Promise<readonly JsonPath[]> {
  if (reader === undefined) throw incorrect(url, 'objects cannot be read here')
  const [, bucket, key] = S3_URL.exec(url) ?? []
  assert(bucket !== undefined && key !== undefined, 'the URL was checked at create')
  const document = await readObject(reader, { bucket, key, signal }).catch((error: unknown) => {
    // An object that isn't there isn't worth another attempt to its reader; to a load it is.
    if (error instanceof DeliveryError && !error.retryable) throw incorrect(url, error.message)
    throw error
  })
  try {
    return parseJsonPaths(document)
  } catch (error) {
    throw incorrect(url, (error as ConfigurationError).message)
  }
}

async function readObject(
  reader: ObjectReader,
  { bucket, key, signal }: { bucket: string; key: string; signal: AbortSignal },
): Promise<string> {
  const { bytes } = await reader.get(bucket, key, signal)
  const parts: Buffer[] = []
  let sizeBytes = 0
  for await (const part of bytes) {
    sizeBytes += part.byteLength
    if (sizeBytes > FILE_BYTES_MAX) throw incorrect(key, `it has more than ${FILE_BYTES_MAX} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

function incorrect(url: string, reason: string): DeliveryError {
  return new DeliveryError(
    'Redshift.IncorrectJsonPathsFile',
    `Cannot read the jsonpaths of ${url}: ${reason}`,
    { retryable: true, effect: 'none', brake: true },
  )
}
