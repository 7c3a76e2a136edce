/**
 * Server-side encryption of a stream: its batches are kept under a data key of its own.
 *
 *   DISABLED ──start──▶ ENABLING ──open batch sealed──▶ ENABLED ──start──▶ ENABLED under a new key
 *      ▲                                                   │
 *      └───────────────────────── stop ────────────────────┘
 *
 * While ENABLING new batches are encrypted already, but one that was open before may still grow. The
 * stream is ENABLED, and puts answer `Encrypted: true`, only when nothing plain is open any more.
 */
import { isJsonObject } from '../../base/json.ts'
import type { Json } from '../../base/json.ts'
import type { DeliveryStream, StreamEncryption } from '../../delivery-stream.ts'
import type { ApiContext } from '../context.ts'
import { ApiError, invalidArgument } from '../exceptions.ts'
import { changeActiveStream } from './stream-lookup.ts'

export const NOT_ENCRYPTED: StreamEncryption = { status: 'DISABLED' }

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
 * The encryption of a stream that has no plain batch open, under a new data key.
 * @throws ApiError InvalidKMSResourceException when no wrapping key is configured
 */
export function newEncryption(choice: KeyChoice, { dataKeys }: ApiContext): StreamEncryption {
  if (dataKeys === undefined) {
    throw new ApiError(
      'InvalidKMSResourceException',
      'Cannot encrypt: no wrapping key is configured. Set STANDPIPE_SSE_KEY_FILE or STANDPIPE_SSE_KEY',
      { code: 'KMS.NotFoundException' },
    )
  }
  return { ...choice, status: 'ENABLED', wrappedDataKey: dataKeys.makeDataKey().wrapped }
}

/**
 * Encrypts the stream from here on; under a new key if it was encrypted before.
 * @throws ApiError
 */
export async function startEncryption(
  context: ApiContext,
  streamName: string,
  choice: KeyChoice,
): Promise<void> {
  const enabled = newEncryption(choice, context)
  const enabling: StreamEncryption = { ...enabled, status: 'ENABLING' }
  const stream = await changeActiveStream(context, streamName, (current) => ({
    ...current,
    encryption: current.encryption.status === 'ENABLED' ? enabled : enabling,
  }))
  await completeStart(context, stream)
}

/** Finishes the starts that a crash interrupted. Called once at start, before any request. */
export async function finishEncryptionStarts(context: ApiContext): Promise<void> {
  for (const stream of context.registry.list()) {
    const isInterrupted = stream.status === 'ACTIVE' && stream.encryption.status === 'ENABLING'
    if (isInterrupted) await completeStart(context, stream)
  }
}

async function completeStart(context: ApiContext, stream: DeliveryStream): Promise<void> {
  const { wrappedDataKey } = stream.encryption
  await context.intake.seal(stream.streamId, 'update')
  await changeActiveStream(context, stream.name, (current) => {
    const { encryption } = current
    // Somebody may have stopped it or started it anew meanwhile: theirs stands.
    const isOurs = encryption.wrappedDataKey === wrappedDataKey
    if (!isOurs || encryption.status !== 'ENABLING') return current
    return { ...current, encryption: { ...encryption, status: 'ENABLED' } }
  })
}
