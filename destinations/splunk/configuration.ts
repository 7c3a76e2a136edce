/** The configuration of Splunk's HTTP event collector. Updates replace its own members one by one. */
import type { JsonObject } from '../../src/base/json.ts'
import type { ConfigurationContext } from '../../src/destination.ts'
import { ConfigurationError } from '../../src/destination.ts'
import type {
  DeliveryConfiguration,
  DeliveryRules,
} from '../../src/objects/delivery-configuration.ts'
import {
  createDelivery,
  describeDelivery,
  updateDelivery,
} from '../../src/objects/delivery-configuration.ts'
import { checkEndpointUrl } from '../../src/requests/endpoint-url.ts'
import { isHeaderValue } from '../../src/requests/header-value.ts'

/** As stored. */
export type SplunkConfiguration = DeliveryConfiguration & {
  readonly HECEndpoint: string
  readonly HECEndpointType: 'Raw' | 'Event'
  readonly HECToken?: string
  readonly HECAcknowledgmentTimeoutInSeconds: number
}

export const DELIVERY_RULES: DeliveryRules = {
  sizeInMBs: { default: 5, max: 5 },
  intervalInSeconds: { default: 60, max: 60 },
  retrySeconds: 300,
  backupModes: ['FailedEventsOnly', 'AllEvents'],
  backupModeUpdates: 'to-all',
  lambdaBufferSizeInMBs: '0.25',
}

const DEFAULTS = { HECAcknowledgmentTimeoutInSeconds: 180 }

/** @throws ConfigurationError */
export function createConfiguration(given: JsonObject, context: ConfigurationContext): JsonObject {
  return checked(createDelivery({ ...DEFAULTS, ...given }, DELIVERY_RULES, context), context)
}

/** @throws ConfigurationError */
export function updateConfiguration(
  stored: JsonObject,
  given: JsonObject,
  context: ConfigurationContext,
): JsonObject {
  return checked(updateDelivery(stored, given, DELIVERY_RULES, context), context)
}

export function describeConfiguration(stored: JsonObject): JsonObject {
  return { SplunkDestinationDescription: describeDelivery(stored, ['HECToken']) }
}

function checked(merged: JsonObject, context: ConfigurationContext): JsonObject {
  const { HECEndpoint, HECToken, SecretsManagerConfiguration } = merged as SplunkConfiguration
  const url = checkEndpointUrl('HECEndpoint', HECEndpoint, context)
  if (url.search !== '' || url.hash !== '') {
    throw new ConfigurationError('HECEndpoint must not have a query or fragment')
  }
  if (SecretsManagerConfiguration?.Enabled === true) return merged
  if (HECToken === undefined || HECToken === '' || !isHeaderValue(HECToken)) {
    throw new ConfigurationError(
      'HECToken must be given, in printable ASCII, unless SecretsManagerConfiguration is enabled',
    )
  }
  return merged
}
