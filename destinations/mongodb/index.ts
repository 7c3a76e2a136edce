import type { DestinationType } from '../../src/destination.ts'
import { deliveryBuffering } from '../../src/objects/delivery-configuration.ts'
import type { MongoDBConfiguration } from './configuration.ts'
import { createConfiguration, describeConfiguration, updateConfiguration } from './configuration.ts'
import { MongoDBDestination } from './destination.ts'

/** An extension: Firehose does not deliver to MongoDB by itself. */
export const mongoDB: DestinationType = {
  name: 'MongoDB',
  metric: 'DeliveryToMongoDB',
  configurationMembers: ['MongoDBDestinationConfiguration'],
  updateMembers: ['MongoDBDestinationUpdate'],
  create: (_member, configuration, context) => createConfiguration(configuration, context),
  update: (current, _member, update, context) => updateConfiguration(current, update, context),
  describe: (stored) => describeConfiguration(stored),
  buffering: (stored) => deliveryBuffering(stored as MongoDBConfiguration),
  open: (context) => new MongoDBDestination(context),
}
