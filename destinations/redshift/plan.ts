/**
 * What a batch comes to, in order: an object with its records, as Firehose stages it; with S3BackupMode
 * a second one with the records as they were sent; for Redshift a manifest that names the first; and
 * the load itself, which waits for all of these.
 */
import { strict as assert } from 'node:assert'
import type { DeliveryStream } from '../../src/delivery-stream.ts'
import type { EncodedOutput, EncodeJob } from '../../src/destination.ts'
import { planObject } from '../../src/objects/object-plan.ts'
import type { ObjectPlan, S3Target } from '../../src/objects/object-plan.ts'
import { recordDelimiter } from '../../src/processors/processing-configuration.ts'
import type { RedshiftConfiguration } from './configuration.ts'
import { dialectOf, PREFIX_RULES } from './configuration.ts'

/** Where the load goes, as the manifest of the batch keeps it. */
export type CopyTarget = {
  readonly table: string
  /** The object that names what Redshift is to read. */
  readonly manifest?: string
}

export const REDSHIFT_COPY_KIND = 'redshift-copy'
export const POSTGRES_COPY_KIND = 'postgres-copy'
export const STAGING_KIND = 's3-staging'
const MANIFEST_KIND = 'redshift-manifest'

/** The objects with records. */
export function planObjects(stream: DeliveryStream): readonly ObjectPlan[] {
  const configuration = stream.destination as RedshiftConfiguration
  const staged = planObject(stream, {
    kind: STAGING_KIND,
    outputIndex: 0,
    accounting: 'copy',
    records: 'processed',
    configuration: configuration.S3Configuration,
    delimiter: recordDelimiter(configuration.ProcessingConfiguration),
    prefixRules: PREFIX_RULES,
  })
  const { S3BackupMode, S3BackupConfiguration } = configuration
  if (S3BackupMode === 'Disabled' || S3BackupConfiguration === undefined) return [staged]
  const backup = planObject(stream, {
    kind: 's3-backup',
    outputIndex: 1,
    accounting: 'copy',
    records: 'accepted',
    configuration: S3BackupConfiguration,
    prefixRules: PREFIX_RULES,
  })
  return [staged, backup]
}

/** Beside the staged objects, under `manifests/`. */
export function planManifest(stream: DeliveryStream): ObjectPlan {
  const { S3Configuration } = stream.destination as RedshiftConfiguration
  const { Prefix = '' } = S3Configuration
  return planObject(stream, {
    kind: MANIFEST_KIND,
    outputIndex: 2,
    accounting: 'copy',
    records: 'processed',
    configuration: {
      ...S3Configuration,
      Prefix: `${Prefix}manifests/`,
      CompressionFormat: 'UNCOMPRESSED',
    },
    prefixRules: PREFIX_RULES,
  })
}

/** What comes after the objects with records: the load, and for Redshift its manifest. */
export async function encodeLoad(
  job: EncodeJob,
  staged: EncodedOutput,
): Promise<readonly EncodedOutput[]> {
  const { recordCount } = staged
  const load = { accounting: 'delivered', recordCount, needsEarlier: true } as const
  const configuration = job.stream.destination as RedshiftConfiguration
  const table = configuration.CopyCommand.DataTableName
  if (dialectOf(configuration) === 'postgres') {
    const target: CopyTarget = { table }
    return [
      { kind: POSTGRES_COPY_KIND, target: frozenTarget(job, POSTGRES_COPY_KIND, target), ...load },
    ]
  }
  const plan = planManifest(job.stream)
  const manifestTarget = frozenTarget(job, MANIFEST_KIND, plan.target(job.batch))
  const target: CopyTarget = { table, manifest: urlOf(manifestTarget) }
  const spool = job.openSpool()
  const entries = [{ url: urlOf(staged.target as S3Target), mandatory: true }]
  await spool.write(Buffer.from(JSON.stringify({ entries })))
  return [
    {
      kind: MANIFEST_KIND,
      target: manifestTarget,
      accounting: 'copy',
      recordCount,
      content: await spool.finish(),
    },
    { kind: REDSHIFT_COPY_KIND, target: frozenTarget(job, REDSHIFT_COPY_KIND, target), ...load },
  ]
}

function frozenTarget<Target extends EncodedOutput['target']>(
  { frozen }: EncodeJob,
  kind: string,
  target: Target,
): Target {
  const output = frozen?.outputs.find((output) => output.kind === kind)
  assert(frozen === undefined || output !== undefined, 'a frozen batch keeps its outputs')
  return output === undefined ? target : (output.target as Target)
}

function urlOf({ bucket, key }: S3Target): string {
  return `s3://${bucket}/${key}`
}
