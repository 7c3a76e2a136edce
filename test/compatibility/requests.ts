/** Inputs that the tests of the operations share. */
import type { JsonObject } from '../../src/base/json.ts'

export const ROLE_ARN = 'arn:aws:iam::123456789012:role/firehose'
export const DESTINATION_ID = 'destinationId-000000000001'

export const S3: JsonObject = { RoleARN: ROLE_ARN, BucketARN: 'arn:aws:s3:::logs' }

export function createInput(name: string, more: JsonObject = {}): JsonObject {
  return { DeliveryStreamName: name, ExtendedS3DestinationConfiguration: S3, ...more }
}

export function updateInput(name: string, versionId: string, update: JsonObject): JsonObject {
  return {
    DeliveryStreamName: name,
    CurrentDeliveryStreamVersionId: versionId,
    DestinationId: DESTINATION_ID,
    ExtendedS3DestinationUpdate: update,
  }
}

export function batchInput(name: string, ...records: readonly (string | Buffer)[]): JsonObject {
  const entries = records.map((record) => ({ Data: Buffer.from(record).toString('base64') }))
  return { DeliveryStreamName: name, Records: entries }
}
