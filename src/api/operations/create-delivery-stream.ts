import { strict as assert } from 'node:assert'
import { isJsonObject } from '../../base/json.ts'
import type { JsonObject } from '../../base/json.ts'
import { CatalogConflict } from '../../catalog.ts'
import type { DeliveryStream } from '../../delivery-stream.ts'
import type { ApiContext } from '../context.ts'
import { ApiError, invalidArgument } from '../exceptions.ts'
import type { Operation } from '../operation.ts'
import { streamArn } from '../stream-arn.ts'
import { chooseDestination, newDestination, requireProcessing } from './destination-choice.ts'
import { keyChoiceOf, newEncryption, NOT_ENCRYPTED } from './encryption.ts'
import { streamNameOf } from './input-members.ts'
import { mergeTags, tagsOf } from './tags.ts'

const DIRECT_PUT_SOURCE = 'DirectPutSourceConfiguration'
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
  requireDirectPut(input)
  const { clock } = context
  const name = streamNameOf(input)
  const choice = chooseDestination(input, context)
  const hint = throughputHintOf(input)
  const encryptionInput = input['DeliveryStreamEncryptionConfigurationInput']
  return {
    streamId: clock.randomBytes(16).toString('hex'),
    name,
    arn: streamArn(name, context),
    status: 'ACTIVE',
    type: 'DirectPut',
    createdAtMs: clock.nowMs(),
    ...(hint === undefined ? {} : { throughputHintInMBs: hint }),
    versionId: 1,
    revision: 1,
    tags: mergeTags([], tagsOf(input['Tags'])),
    encryption:
      encryptionInput === undefined
        ? NOT_ENCRYPTED
        : newEncryption(keyChoiceOf(encryptionInput), context),
    destinationType: choice.type.name,
    destination: newDestination(choice, context),
  }
}

/** @throws ApiError InvalidArgumentException for the sources that aren't built */
export function requireDirectPut(input: JsonObject): void {
  const type = input['DeliveryStreamType'] ?? 'DirectPut'
  if (type !== 'DirectPut') {
    throw invalidArgument(
      'Only DirectPut delivery streams are supported by this version of Standpipe',
    )
  }
  const source = Object.keys(input).find((member) => member.endsWith('SourceConfiguration'))
  if (source !== undefined && source !== DIRECT_PUT_SOURCE) {
    throw invalidArgument(`${source} is not supported by this version of Standpipe`)
  }
}

/** Between 1 and 100 by the model. */
export function throughputHintOf(input: JsonObject): number | undefined {
  const source = input[DIRECT_PUT_SOURCE]
  if (!isJsonObject(source)) return undefined
  const hint = source['ThroughputHintInMBs']
  assert(typeof hint === 'number', 'the model requires it')
  return hint
}

function alreadyExists(name: string, accountId: string): ApiError {
  const message = `Firehose ${name} under accountId ${accountId} already exists`
  return new ApiError('ResourceInUseException', message)
}
