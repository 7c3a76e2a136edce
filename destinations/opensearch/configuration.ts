/**
 * The configurations of an OpenSearch destination, its older form for Elasticsearch, and the one for
 * Serverless, which has no index options: one index that never rotates, and always our document ids.
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
import { checkEndpointUrl } from '../../src/requests/endpoint-url.ts'
import type { IndexRotationPeriod } from './index-name.ts'
import type { Variant } from './variant.ts'

export type DocumentIdFormat = 'FIREHOSE_DEFAULT' | 'NO_DOCUMENT_ID'

/** As stored. */
export type OpenSearchConfiguration = DeliveryConfiguration & {
  readonly ClusterEndpoint?: string
  /** Serverless's word for it. */
  readonly CollectionEndpoint?: string
  readonly IndexName: string
  /** Empty or absent where the cluster has no mapping types, which is everywhere since version 7. */
  readonly TypeName?: string
  readonly IndexRotationPeriod?: IndexRotationPeriod
  readonly DocumentIdOptions?: { readonly DefaultDocumentIdFormat: DocumentIdFormat }
}

export const DELIVERY_RULES: DeliveryRules = {
  sizeInMBs: { default: 5, max: 100 },
  intervalInSeconds: { default: 300, max: 900 },
  retrySeconds: 300,
  backupModes: ['FailedDocumentsOnly', 'AllDocuments'],
}

const INDEX_OPTIONS = {
  IndexRotationPeriod: 'OneDay',
  DocumentIdOptions: { DefaultDocumentIdFormat: 'FIREHOSE_DEFAULT' },
}

/** The rules of the server, which would refuse every single document. */
const INDEX_NAME = /^[^\\/*?"<>| ,#:A-Z_+-][^\\/*?"<>| ,#:A-Z]*$/

/** @throws ConfigurationError */
export function createConfiguration(
  variant: Variant,
  given: JsonObject,
  context: ConfigurationContext,
): JsonObject {
  const options = variant.hasIndexOptions ? INDEX_OPTIONS : {}
  const created = createDelivery({ ...options, ...given }, DELIVERY_RULES, context)
  return checked(variant, created, context)
}

/**
 * The stored configuration itself when nothing changes.
 * @throws ConfigurationError
 */
export function updateConfiguration(
  variant: Variant,
  stored: JsonObject,
  given: JsonObject,
  context: ConfigurationContext,
): JsonObject {
  return checked(variant, updateDelivery(stored, given, DELIVERY_RULES, context), context)
}

/** Members of DestinationDescription. There are no secrets: those are in the connections. */
export function describeConfiguration(variant: Variant, stored: JsonObject): JsonObject {
  return { [variant.descriptionMember]: describeDelivery(stored, []) }
}

export function endpointOf({
  ClusterEndpoint,
  CollectionEndpoint,
}: OpenSearchConfiguration): string {
  const endpoint = ClusterEndpoint ?? CollectionEndpoint
  if (endpoint === undefined) throw new Error('Cannot address the cluster: it has no endpoint')
  return endpoint
}

function checked(
  { endpointMember }: Variant,
  stored: JsonObject,
  context: ConfigurationContext,
): JsonObject {
  if (stored.DomainARN !== undefined) {
    throw new ConfigurationError('DomainARN is not supported: specify the ClusterEndpoint')
  }
  if (stored.VpcConfiguration !== undefined) {
    throw new ConfigurationError(
      'VpcConfiguration is not supported: the cluster is reached from the network that Standpipe is in',
    )
  }
  const { IndexName, [endpointMember]: endpoint } = stored as OpenSearchConfiguration
  if (endpoint === undefined) throw new ConfigurationError(`${endpointMember} must be specified`)
  checkEndpoint(endpointMember, endpoint, context)
  if (!INDEX_NAME.test(IndexName) || IndexName === '.' || IndexName === '..') {
    throw new ConfigurationError(
      `Invalid IndexName '${IndexName}': it must be in lower case, without \\/*?"<>|,#: or spaces, and not begin with _, - or +`,
    )
  }
  return stored
}

function checkEndpoint(member: string, endpoint: string, context: ConfigurationContext): void {
  const { search, hash } = checkEndpointUrl(member, endpoint, context)
  if (search === '' && hash === '') return
  throw new ConfigurationError(`${member} must not hold a query or a fragment`)
}
