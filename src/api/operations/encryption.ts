/**
 * Server-side encryption of a stream: its batches are kept under a data key of its own. There is
 * nothing to wait for, so that a stream is only ever ENABLED or DISABLED: the first append under
 * another key, or under none, goes into a new batch (AppendTarget in batch-store.ts).
 */
import { isJsonObject } from '../../base/json.ts'
import type { Json } from '../../base/json.ts'
import type { DeliveryStream, StreamEncryption } from '../../delivery-stream.ts'
import type { ApiContext } from '../context.ts'
import { ApiError, invalidArgument, keyNotFound } from '../exceptions.ts'
import { changeActiveStream, existingStream } from './stream-lookup.ts'

export const NOT_ENCRYPTED: StreamEncryption = { status: 'DISABLED' }

/** AWS's quota for starting and stopping together. */
const CHANGES_A_DAY_MAX = 25
const DAY_MS = 86_400_000

/** What a request asks for. */
export type KeyChoice = Required<Pick<StreamEncryption, 'keyType'>> &
  Pick<StreamEncryption, 'keyArn'>

/**
 * The choice of a DeliveryStreamEncryptionConfigurationInput; AWS's own key when there is none.
 * @throws ApiError InvalidArgumentException
 */
export function keyChoiceOf(input: Json | undefined): KeyChoice {
  if (!isJsonObject(input) || input['KeyType'] === 'AWS_OWNED_CMK') {
    if (!isJsonObject(input) || input['KeyARN'] === undefined) return { keyType: 'AWS_OWNED_CMK' }
    throw invalidArgument('KeyARN must not be given when KeyType is AWS_OWNED_CMK')
  }
  const keyArn = input['KeyARN']
  if (typeof keyArn === 'string') return { keyType: 'CUSTOMER_MANAGED_CMK', keyArn }
  throw invalidArgument('KeyARN is required when KeyType is CUSTOMER_MANAGED_CMK')
}

/**
 * Encryption under a new data key.
 * @throws ApiError InvalidKMSResourceException when no wrapping key is configured
 */
export function newEncryption(choice: KeyChoice, { dataKeys }: ApiContext): StreamEncryption {
  if (dataKeys === undefined) {
    throw keyNotFound(
      'Cannot encrypt: no wrapping key is configured. Set STANDPIPE_SSE_KEY_FILE or STANDPIPE_SSE_KEY',
    )
  }
  return { ...choice, status: 'ENABLED', wrappedDataKey: dataKeys.makeDataKey().wrapped }
}

/** @throws ApiError InvalidArgumentException, in AWS's words, for a stream that reads a source */
export function requireEncryptable({ type }: Pick<DeliveryStream, 'type'>): void {
  if (type === 'DirectPut') return
  throw invalidArgument(
    'Server side encryption from firehose is only allowed for direct put delivery streams and ' +
      'database as a source delivery streams',
  )
}

/**
 * Encrypts the stream from here on, under a new key if it was encrypted before.
 * @throws ApiError
 */
export async function startEncryption(
  context: ApiContext,
  streamName: string,
  choice: KeyChoice,
): Promise<void> {
  requireEncryptable(existingStream(context, streamName))
  await changeEncryption(context, streamName, newEncryption(choice, context))
}

/** @throws ApiError */
export function stopEncryption(context: ApiContext, streamName: string): Promise<void> {
  return changeEncryption(context, streamName, NOT_ENCRYPTED)
}

async function changeEncryption(
  context: ApiContext,
  streamName: string,
  encryption: StreamEncryption,
): Promise<void> {
  const { streamId } = await changeActiveStream(context, streamName, (current) => ({
    ...current,
    encryption: { ...encryption, changedAtMs: countedChanges(current, context) },
  }))
  await context.intake.seal(streamId, 'update')
}

/**
 * The stream's changes of the last day, with this one.
 * @throws ApiError LimitExceededException, where AWS's limits are enforced
 */
function countedChanges(
  { name, encryption }: DeliveryStream,
  { clock, configuration }: ApiContext,
): readonly number[] {
  const nowMs = clock.nowMs()
  const ofToday = (encryption.changedAtMs ?? []).filter((atMs) => atMs > nowMs - DAY_MS)
  if (configuration.strictAws && ofToday.length >= CHANGES_A_DAY_MAX) {
    throw new ApiError(
      'LimitExceededException',
      `Cannot change the encryption of ${name}: it was changed ${CHANGES_A_DAY_MAX} times in 24 hours`,
    )
  }
  return [...ofToday, nowMs].slice(-CHANGES_A_DAY_MAX)
}
