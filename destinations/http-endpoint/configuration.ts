/**
 * The configuration of an HTTP endpoint. RequestConfiguration is replaced as a whole by an update;
 * EndpointConfiguration too, but an access key that the update does not give stays as long as the
 * endpoint does (scheme, host and port): nobody can read it to give it again, and it is not sent to
 * anybody else.
 */
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
import { recordDelimiter } from '../../src/processors/processing-configuration.ts'
import { checkEndpointUrl } from '../../src/requests/endpoint-url.ts'
import { isHeaderValue } from '../../src/requests/header-value.ts'
import { PRESET_INTERVAL_IN_SECONDS, presetOf } from './presets.ts'

/** As stored. */
export type HttpEndpointConfiguration = DeliveryConfiguration & {
  readonly EndpointConfiguration: EndpointConfiguration
  readonly RequestConfiguration: {
    readonly ContentEncoding: 'NONE' | 'GZIP'
    readonly CommonAttributes: readonly {
      readonly AttributeName: string
      readonly AttributeValue: string
    }[]
  }
}

export type EndpointConfiguration = {
  readonly Url: string
  readonly Name?: string
  readonly AccessKey?: string
}

export const DELIVERY_RULES: DeliveryRules = {
  sizeInMBs: { default: 5, max: 64 },
  intervalInSeconds: { default: 300, max: 900 },
  retrySeconds: 300,
  backupModes: ['FailedDataOnly', 'AllData'],
  backupModeUpdates: 'any',
}

const REQUEST_DEFAULTS = { ContentEncoding: 'NONE', CommonAttributes: [] }
const ATTRIBUTE_COUNT_MAX = 50

/** @throws ConfigurationError */
export function createConfiguration(given: JsonObject, context: ConfigurationContext): JsonObject {
  const { EndpointConfiguration, RequestConfiguration, ...members } = given
  const preset = presetOf(EndpointConfiguration as EndpointConfiguration)
  const rules: DeliveryRules =
    preset === undefined
      ? DELIVERY_RULES
      : {
          ...DELIVERY_RULES,
          sizeInMBs: { ...DELIVERY_RULES.sizeInMBs, default: preset.sizeInMBs },
          intervalInSeconds: {
            ...DELIVERY_RULES.intervalInSeconds,
            default: PRESET_INTERVAL_IN_SECONDS,
          },
        }
  const requestDefaults = {
    ...REQUEST_DEFAULTS,
    ...(preset !== undefined && { ContentEncoding: preset.contentEncoding }),
  }
  const own = {
    EndpointConfiguration,
    RequestConfiguration: { ...requestDefaults, ...(RequestConfiguration as JsonObject) },
  }
  return checked(createDelivery({ ...members, ...own }, rules, context), context)
}

/** @throws ConfigurationError */
export function updateConfiguration(
  stored: JsonObject,
  given: JsonObject,
  context: ConfigurationContext,
): JsonObject {
  const { EndpointConfiguration, RequestConfiguration } = given
  const own = {
    ...(EndpointConfiguration !== undefined && {
      EndpointConfiguration: replaceEndpoint(
        stored.EndpointConfiguration as EndpointConfiguration,
        EndpointConfiguration as EndpointConfiguration,
      ),
    }),
    ...(RequestConfiguration !== undefined && {
      RequestConfiguration: { ...REQUEST_DEFAULTS, ...(RequestConfiguration as JsonObject) },
    }),
  }
  const updated = updateDelivery(stored, { ...given, ...own }, DELIVERY_RULES, context)
  return checked(updated, context)
}

export function describeConfiguration(stored: JsonObject): JsonObject {
  const { EndpointConfiguration, ...members } = describeDelivery(stored, [])
  const { AccessKey: _secret, ...endpoint } = EndpointConfiguration as EndpointConfiguration
  return {
    HttpEndpointDestinationDescription: { ...members, EndpointConfiguration: endpoint },
  }
}

function replaceEndpoint(
  stored: EndpointConfiguration,
  given: EndpointConfiguration,
): EndpointConfiguration {
  const isSame = URL.parse(given.Url)?.origin === URL.parse(stored.Url)?.origin
  const kept = isSame && stored.AccessKey !== undefined && { AccessKey: stored.AccessKey }
  return { ...kept, ...given }
}

function checked(merged: JsonObject, context: ConfigurationContext): JsonObject {
  const { EndpointConfiguration, RequestConfiguration, ProcessingConfiguration } =
    merged as HttpEndpointConfiguration
  const url = checkEndpointUrl('EndpointConfiguration.Url', EndpointConfiguration.Url, context)
  if (context.strictAws && url.port !== '') {
    throw new ConfigurationError('EndpointConfiguration.Url must be on port 443')
  }
  if (!isHeaderValue(EndpointConfiguration.AccessKey ?? '')) {
    throw new ConfigurationError('EndpointConfiguration.AccessKey must be printable ASCII')
  }
  if (recordDelimiter(ProcessingConfiguration) !== undefined) {
    throw new ConfigurationError(
      'AppendDelimiterToRecord is not supported for an HTTP endpoint: its records come apart',
    )
  }
  checkAttributes(EndpointConfiguration, RequestConfiguration)
  return merged
}

function checkAttributes(
  endpoint: EndpointConfiguration,
  { CommonAttributes }: HttpEndpointConfiguration['RequestConfiguration'],
): void {
  const names = CommonAttributes.map(({ AttributeName }) => AttributeName)
  if (names.length > ATTRIBUTE_COUNT_MAX || new Set(names).size < names.length) {
    throw new ConfigurationError(
      `CommonAttributes must be at most ${ATTRIBUTE_COUNT_MAX} of different names`,
    )
  }
  const preset = presetOf(endpoint)
  const missing = preset?.requiredAttributes.find((name) => !names.includes(name))
  if (preset === undefined || missing === undefined) return
  throw new ConfigurationError(`CommonAttributes must have ${missing} for ${preset.name}`)
}
