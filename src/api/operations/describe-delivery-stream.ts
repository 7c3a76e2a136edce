import type { JsonObject } from '../../base/json.ts'
import type { DeliveryStream, StreamEncryption } from '../../delivery-stream.ts'
import type { ApiContext } from '../context.ts'
import type { Operation } from '../operation.ts'
import { destinationTypeOf } from './destination-choice.ts'
import { streamNameOf } from './input-members.ts'
import { describeSource } from './source-choice.ts'
import { existingStream } from './stream-lookup.ts'

/** The id of the one destination that a stream has. */
export const DESTINATION_ID = 'destinationId-000000000001'

/** Limit and ExclusiveStartDestinationId don't matter: AWS returns the one destination anyway. */
export const describeDeliveryStream: Operation = async (input, context) => {
  const stream = existingStream(context, streamNameOf(input))
  return { DeliveryStreamDescription: describeStream(stream, context) }
}

function describeStream(stream: DeliveryStream, context: ApiContext): JsonObject {
  const destination = destinationTypeOf(stream, context).describe(stream.destination)
  const source = describeSource(stream, context)
  return {
    DeliveryStreamName: stream.name,
    DeliveryStreamARN: stream.arn,
    DeliveryStreamStatus: stream.status,
    DeliveryStreamEncryptionConfiguration: describeEncryption(stream.encryption),
    DeliveryStreamType: stream.type,
    VersionId: String(stream.versionId),
    CreateTimestamp: stream.createdAtMs / 1_000,
    ...(stream.updatedAtMs === undefined
      ? {}
      : { LastUpdateTimestamp: stream.updatedAtMs / 1_000 }),
    ...(source === undefined ? {} : { Source: source }),
    Destinations: [{ DestinationId: DESTINATION_ID, ...destination }],
    HasMoreDestinations: false,
  }
}

function describeEncryption({ status, keyType, keyArn }: StreamEncryption): JsonObject {
  return {
    ...(keyArn === undefined ? {} : { KeyARN: keyArn }),
    ...(keyType === undefined ? {} : { KeyType: keyType }),
    Status: status,
  }
}
