import type { DestinationType } from '../../src/destination.ts'
import type { ExtendedS3Configuration } from './configuration.ts'
import {
  bufferingLimits,
  createConfiguration,
  describeConfiguration,
  updateConfiguration,
} from './configuration.ts'
import { S3Destination } from './destination.ts'

export const s3: DestinationType = {
  name: 'ExtendedS3',
  metric: 'DeliveryToS3',
  configurationMembers: ['ExtendedS3DestinationConfiguration', 'S3DestinationConfiguration'],
  updateMembers: ['ExtendedS3DestinationUpdate', 'S3DestinationUpdate'],
  create: (_member, configuration, context) => createConfiguration(configuration, context),
  update: (current, _member, update, context) =>
    updateConfiguration(current as ExtendedS3Configuration, update, context),
  describe: (stored) => describeConfiguration(stored as ExtendedS3Configuration),
  buffering: (stored) => bufferingLimits(stored as ExtendedS3Configuration),
  open: ({ objectStore }) => new S3Destination(objectStore),
}
