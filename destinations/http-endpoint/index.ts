import type { DestinationType } from '../../src/destination.ts'
import { deliveryBuffering } from '../../src/objects/delivery-configuration.ts'
import type { HttpEndpointConfiguration } from './configuration.ts'
import { createConfiguration, describeConfiguration, updateConfiguration } from './configuration.ts'
import { HttpEndpointDestination } from './destination.ts'

export const httpEndpoint: DestinationType = {
  name: 'HttpEndpoint',
  metric: 'DeliveryToHttpEndpoint',
  configurationMembers: ['HttpEndpointDestinationConfiguration'],
  updateMembers: ['HttpEndpointDestinationUpdate'],
  create: (_member, configuration, context) => createConfiguration(configuration, context),
  update: (current, _member, update, context) => updateConfiguration(current, update, context),
  describe: describeConfiguration,
  buffering: (stored) => deliveryBuffering(stored as HttpEndpointConfiguration),
  open: (context) => new HttpEndpointDestination(context),
}
