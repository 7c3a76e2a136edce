/**
 * Partners of Firehose are HTTP endpoints like others; what is particular to each is here. The API
 * has no word for them, so an endpoint is recognised by the host of its URL, or else by how its Name
 * begins, which is what AWS's console writes there (`Datadog logs - US1`).
 *
 * A preset gives defaults to what a create request leaves out, bounds the data of a request, and names
 * the attributes without which the partner takes nothing. The retry duration is 300 s for all.
 */

export interface Preset {
  readonly name: string
  readonly hosts: RegExp
  /** Default buffering hint. */
  readonly sizeInMBs: number
  /** Most that is put into a request, whatever the buffering hint. */
  readonly requestSizeInMBsMax: number
  readonly contentEncoding: 'NONE' | 'GZIP'
  readonly requiredAttributes: readonly string[]
}

/** The only buffering interval that AWS's manual gives for partners. */
export const PRESET_INTERVAL_IN_SECONDS = 60

export const PRESETS: readonly Preset[] = [
  {
    name: 'Datadog',
    hosts: /(^|\.)(datadoghq\.com|datadoghq\.eu|ddog-gov\.com)$/,
    sizeInMBs: 4,
    requestSizeInMBsMax: 4,
    contentEncoding: 'GZIP',
    requiredAttributes: [],
  },
  {
    name: 'New Relic',
    hosts: /(^|\.)(newrelic\.com|nr-data\.net)$/,
    sizeInMBs: 5,
    requestSizeInMBsMax: 64,
    contentEncoding: 'GZIP',
    requiredAttributes: [],
  },
  {
    name: 'Dynatrace',
    hosts: /(^|\.)dynatrace\.com$/,
    sizeInMBs: 5,
    requestSizeInMBsMax: 64,
    contentEncoding: 'GZIP',
    requiredAttributes: ['dt-url'],
  },
  {
    name: 'Sumo Logic',
    hosts: /(^|\.)sumologic\.(com|net)$/,
    sizeInMBs: 1,
    requestSizeInMBsMax: 64,
    contentEncoding: 'GZIP',
    requiredAttributes: [],
  },
  {
    name: 'Honeycomb',
    hosts: /(^|\.)honeycomb\.io$/,
    sizeInMBs: 15,
    requestSizeInMBsMax: 64,
    contentEncoding: 'GZIP',
    requiredAttributes: [],
  },
  {
    name: 'Elastic',
    hosts: /(^|\.)(elastic-cloud\.com|elastic\.cloud|found\.io)$/,
    sizeInMBs: 1,
    requestSizeInMBsMax: 1,
    contentEncoding: 'GZIP',
    requiredAttributes: [],
  },
  {
    name: 'Coralogix',
    hosts: /(^|\.)coralogix(sg)?\.(com|us|in)$/,
    sizeInMBs: 6,
    requestSizeInMBsMax: 64,
    contentEncoding: 'GZIP',
    requiredAttributes: [],
  },
]

/** The endpoint's preset; undefined when it is nobody we know. */
export function presetOf(endpoint: {
  readonly Url: string
  readonly Name?: string
}): Preset | undefined {
  const host = URL.parse(endpoint.Url)?.hostname ?? ''
  const name = endpoint.Name?.toLowerCase() ?? ''
  return (
    PRESETS.find(({ hosts }) => hosts.test(host)) ??
    PRESETS.find((preset) => name.startsWith(preset.name.toLowerCase()))
  )
}
