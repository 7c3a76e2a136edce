import { readFileSync } from 'node:fs'
import type { CreateDeliveryStreamCommandInput } from '@aws-sdk/client-firehose'
import { parse as parseYaml } from 'yaml'
import { isJsonObject } from '../base/json.ts'
import { CLIENT_HELP, CLIENT_OPTIONS, withClient } from './client.ts'
import type { Client } from './client.ts'
import { CommandError, print, printJson, takePositionals, usageError } from './command.ts'
import type { Command, Invocation } from './command.ts'
import { EXIT } from './exit-code.ts'
import { s3Configuration, S3_OPTIONS } from './s3-configuration.ts'

type Action = (client: Client, invocation: Invocation) => Promise<void>

const ACTIONS: Readonly<Record<string, Action>> = {
  list,
  create,
  describe,
  update,
  delete: remove,
  status,
  flush: extension,
  pause: extension,
  resume: extension,
}

export const streams: Command = {
  usage: 'streams list|create|describe|status|update|delete|flush|pause|resume [<stream>]',
  summary: 'look after delivery streams',
  help: `  list                 names, one a line
  create <stream>      an S3 stream from the flags below, or any stream from --file
  describe <stream>    what DescribeDeliveryStream says, as JSON
  status <stream>      books, backlog, state of delivery and of what is read, as JSON
  update <stream>      changes what the flags name, or what --file holds
  delete <stream>      with all that it has not delivered; --force for AllowForceDelete
  flush <stream>       closes what is buffered and delivers it now
  pause <stream>       stops delivery; records are still accepted
  resume <stream>      lifts a pause and the brake, and tries parked batches again

  --file FILE                  input of CreateDeliveryStream, for update an S3 configuration to
                               merge; YAML or JSON, - for stdin
  --bucket NAME                --prefix TEXT             --error-prefix TEXT
  --compression FORMAT         --buffer-mb N             --buffer-seconds N
  --delimiter                  put a newline between records
${CLIENT_HELP}`,
  options: {
    ...CLIENT_OPTIONS,
    ...S3_OPTIONS,
    file: { type: 'string' },
    force: { type: 'boolean' },
  },
  async run(invocation) {
    const [name = ''] = invocation.positionals
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
    if (action === undefined) {
      throw usageError(`Cannot run: streams needs one of ${Object.keys(ACTIONS).join(', ')}`)
    }
    takePositionals(invocation, name === 'list' ? [name] : [name, 'the name of the stream'])
    return withClient(invocation, async (client) => {
      await action(client, invocation)
      return EXIT.ok
    })
  },
}

function streamName({ positionals }: Invocation): string {
  return positionals[1] ?? ''
}

async function list({ firehose }: Client): Promise<void> {
  let last: string | undefined
  for (;;) {
    const page = await firehose.listDeliveryStreams({
      Limit: 1000,
      ExclusiveStartDeliveryStreamName: last,
    })
    const names = page.DeliveryStreamNames ?? []
    for (const name of names) print(name)
    last = names.at(-1)
    if (page.HasMoreDeliveryStreams !== true || last === undefined) return
  }
}

async function create({ firehose, settings }: Client, invocation: Invocation): Promise<void> {
  const DeliveryStreamName = streamName(invocation)
  const fromFile = readInput(invocation)
  const { BucketARN, ...configuration } = s3Configuration(invocation)
  if (fromFile === undefined && BucketARN === undefined) {
    throw usageError('Cannot create: give --bucket, or --file with a whole configuration')
  }
  const RoleARN = `arn:aws:iam::${settings.accountId}:role/standpipe`
  const input = fromFile ?? {
    ExtendedS3DestinationConfiguration: { RoleARN, BucketARN, ...configuration },
  }
  const answer = await firehose.createDeliveryStream({
    ...(input as Omit<CreateDeliveryStreamCommandInput, 'DeliveryStreamName'>),
    DeliveryStreamName,
  })
  print(answer.DeliveryStreamARN ?? '')
}

async function describe({ firehose }: Client, invocation: Invocation): Promise<void> {
  const answer = await firehose.describeDeliveryStream({
    DeliveryStreamName: streamName(invocation),
  })
  printJson(answer.DeliveryStreamDescription)
}

async function update({ firehose }: Client, invocation: Invocation): Promise<void> {
  const DeliveryStreamName = streamName(invocation)
  const fromFile = readInput(invocation)
  const named = Object.keys(fromFile ?? s3Configuration(invocation))
  if (named.length === 0) throw usageError('Cannot update: nothing to change')
  const { DeliveryStreamDescription: current } = await firehose.describeDeliveryStream({
    DeliveryStreamName,
  })
  const destination = current?.Destinations?.[0]
  const processing = destination?.ExtendedS3DestinationDescription?.ProcessingConfiguration
  await firehose.updateDestination({
    DeliveryStreamName,
    CurrentDeliveryStreamVersionId: current?.VersionId,
    DestinationId: destination?.DestinationId,
    ExtendedS3DestinationUpdate: fromFile ?? s3Configuration(invocation, processing),
  })
}

async function remove({ firehose }: Client, invocation: Invocation): Promise<void> {
  await firehose.deleteDeliveryStream({
    DeliveryStreamName: streamName(invocation),
    AllowForceDelete: invocation.flags['force'] === true,
  })
}

async function status(client: Client, invocation: Invocation): Promise<void> {
  printJson(await client.call('GET', `/streams/${encodeURIComponent(streamName(invocation))}`))
}

/** Routes of Standpipe's own, named as the actions are. */
async function extension(client: Client, invocation: Invocation): Promise<void> {
  const [action = ''] = invocation.positionals
  await client.call('POST', `/streams/${encodeURIComponent(streamName(invocation))}/${action}`)
}

function readInput({ flags }: Invocation): object | undefined {
  const path = flags['file']
  if (typeof path !== 'string') return undefined
  try {
    const content: unknown = parseYaml(readFileSync(path === '-' ? 0 : path, 'utf8'))
    if (isJsonObject(content)) return content
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new CommandError(`Cannot read ${path}: ${message}`, EXIT.usage, { cause: error })
  }
  throw usageError(`Cannot use ${path}: it must hold one object`)
}
