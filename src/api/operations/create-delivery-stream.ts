import type { Json, JsonObject } from '../../base/json.ts'
import { CatalogConflict } from '../../catalog.ts'
import type { DeliveryStream, DeliveryStreamType, StreamEncryption } from '../../delivery-stream.ts'
import type { ApiContext } from '../context.ts'
import { ApiError } from '../exceptions.ts'
import type { Operation } from '../operation.ts'
import { streamArn } from '../stream-arn.ts'
import { chooseDestination, newDestination, requireProcessing } from './destination-choice.ts'
import { keyChoiceOf, newEncryption, NOT_ENCRYPTED, requireEncryptable } from './encryption.ts'
import { streamNameOf } from './input-members.ts'
import { chooseSource, newSource, throughputHintOf } from './source-choice.ts'
import { mergeTags, tagsOf } from './tags.ts'

/** AWS's quota in its large regions. */
const STREAM_COUNT_MAX = 5_000

/** The stream is ACTIVE when this answers: there is nothing to wait for. */
export const createDeliveryStream: Operation = async (input, context) => {
  const { arn } = await createStream(input, context)
  return { DeliveryStreamARN: arn }
}

/** @throws ApiError */
export async function createStream(
  input: JsonObject,
  context: ApiContext,
): Promise<DeliveryStream> {
  const stream = newStream(input, context)
  const { registry, accountId } = context
  if (registry.find(stream.name) !== undefined) throw alreadyExists(stream.name, accountId)
  if (registry.list().length >= STREAM_COUNT_MAX) {
    const message = `You have already consumed your Firehose quota of ${STREAM_COUNT_MAX} hoses.`
    throw new ApiError('LimitExceededException', message)
  }
  await requireProcessing(stream.destination, context)
  try {
    await registry.create(stream)
  } catch (error) {
    if (error instanceof CatalogConflict) throw alreadyExists(stream.name, accountId)
    throw error
  }
  return stream
}

function newStream(input: JsonObject, context: ApiContext): DeliveryStream {
  const { clock } = context
  const name = streamNameOf(input)
  const createdAtMs = clock.nowMs()
  const sourceChoice = chooseSource(input, context)
  const type = sourceChoice?.type.name ?? 'DirectPut'
  const source = sourceChoice && newSource(sourceChoice, createdAtMs, context)
  const choice = chooseDestination(input, context)
  const hint = throughputHintOf(input)
  return {
    streamId: clock.randomBytes(16).toString('hex'),
    name,
    arn: streamArn(name, context),
    status: 'ACTIVE',
    type,
    createdAtMs,
    ...(source === undefined ? {} : { source }),
    ...(hint === undefined ? {} : { throughputHintInMBs: hint }),
    versionId: 1,
    revision: 1,
    tags: mergeTags({ type, tags: [] }, tagsOf(input['Tags'])),
    encryption: encryptionOf(type, input['DeliveryStreamEncryptionConfigurationInput'], context),
    destinationType: choice.type.name,
    destination: newDestination(choice, context),
  }
}

function encryptionOf(
  type: DeliveryStreamType,
  input: Json | undefined,
  context: ApiContext,
): StreamEncryption {
  if (input === undefined) return NOT_ENCRYPTED
  requireEncryptable({ type })
  return newEncryption(keyChoiceOf(input), context)
}

function alreadyExists(name: string, accountId: string): ApiError {
  const message = `Firehose ${name} under accountId ${accountId} already exists`
  return new ApiError('ResourceInUseException', message)
}
