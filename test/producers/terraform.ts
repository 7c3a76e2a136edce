/**
 * The calls and the members with which Terraform's AWS provider manages an
 * `aws_kinesis_firehose_delivery_stream`, as version 6 of its sources has them; the provider itself can
 * not be had here. What is peculiar about it:
 *
 * - It sends every attribute of its schema, defaults and empty strings too, and the whole destination
 *   in each update.
 * - A plan is the difference between the configuration and what DescribeDeliveryStream says. Passwords
 *   and access keys it takes from its own state; Splunk's token it reads back.
 * - Server-side encryption is a call of its own, after the stream is active.
 * - DescribeDeliveryStream is polled until the status is what it waits for.
 */
import { isDeepStrictEqual } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JsonObject } from '../../src/base/json.ts'
import type { FirehoseCaller, Outcome } from '../clients/firehose-caller.ts'
import { sourceBlocks, sourceInput } from './terraform-sources.ts'

const POLL_MS = 100
const POLL_COUNT_MAX = 100

/** A destination block, and how its attributes look in the API. */
export interface DestinationBlock {
  readonly create: (attributes: JsonObject) => JsonObject
  readonly update: (attributes: JsonObject) => JsonObject
  /** @param state what the provider remembers of secrets */
  readonly read: (destination: JsonObject, state: JsonObject) => JsonObject
}

export interface StreamConfiguration {
  readonly attributes: JsonObject
  /** One of the blocks of terraform-sources.ts, by its name; another replaces the stream. */
  readonly source?: JsonObject
  readonly tags?: Readonly<Record<string, string>>
  readonly isEncrypted?: boolean
}

type State = Required<StreamConfiguration>

/** One resource, of a name that is never changed. */
export class TerraformStream {
  readonly #caller: FirehoseCaller
  readonly #name: string
  readonly #block: DestinationBlock
  #state: State | undefined

  constructor(caller: FirehoseCaller, name: string, block: DestinationBlock) {
    this.#caller = caller
    this.#name = name
    this.#block = block
  }

  /** Names of what `apply` would change; undefined when it would create the stream. */
  async plan(configuration: StreamConfiguration): Promise<readonly string[] | undefined> {
    const description = await this.#describe()
    if (description === undefined) return undefined
    const found = await this.#read(description)
    const wanted = withDefaults(configuration)
    const names = Object.keys({ ...wanted.attributes, ...found.attributes })
    const changed = names.filter(
      (name) => !isDeepStrictEqual(wanted.attributes[name], found.attributes[name]),
    )
    if (!isDeepStrictEqual(wanted.tags, found.tags)) changed.push('tags')
    if (wanted.isEncrypted !== found.isEncrypted) changed.push('server_side_encryption')
    if (!isDeepStrictEqual(wanted.source, found.source)) changed.push('source')
    return changed
  }

  /** Creates or updates the stream. */
  async apply(configuration: StreamConfiguration): Promise<void> {
    const changes = await this.plan(configuration)
    const wanted = withDefaults(configuration)
    if (changes === undefined) await this.#create(wanted)
    else await this.#update(wanted, new Set(changes))
    this.#state = wanted
  }

  async destroy(): Promise<void> {
    await this.#call('DeleteDeliveryStream')
    await this.#until((description) => description === undefined)
  }

  /** The version that the next update would name. */
  async version(): Promise<unknown> {
    return (await this.#describe())?.['VersionId']
  }

  async #create({ attributes, source, tags, isEncrypted }: State): Promise<void> {
    const Tags = tagList(tags)
    await this.#call('CreateDeliveryStream', {
      ...sourceInput(source),
      ...this.#block.create(attributes),
      ...(Tags.length === 0 ? {} : { Tags }),
    })
    await this.#until((description) => description?.['DeliveryStreamStatus'] === 'ACTIVE')
    if (isEncrypted) await this.#encrypt()
  }

  async #update({ attributes, tags, isEncrypted }: State, changes: Set<string>): Promise<void> {
    const description = (await this.#describe()) ?? {}
    const before = await this.#read(description)
    if (changes.delete('tags')) {
      const gone = Object.keys(before.tags).filter((name) => tags[name] === undefined)
      if (gone.length > 0) await this.#call('UntagDeliveryStream', { TagKeys: gone })
      const set = Object.entries(tags).filter(([name, value]) => before.tags[name] !== value)
      const Tags = tagList(Object.fromEntries(set))
      if (Tags.length > 0) await this.#call('TagDeliveryStream', { Tags })
    }
    if (changes.size === 0) return
    const [destination = {}] = description['Destinations'] as JsonObject[]
    await this.#call('UpdateDestination', {
      CurrentDeliveryStreamVersionId: description['VersionId'],
      DestinationId: destination['DestinationId'],
      ...this.#block.update(attributes),
    })
    if (!changes.has('server_side_encryption')) return
    if (isEncrypted) return await this.#encrypt()
    await this.#call('StopDeliveryStreamEncryption')
    await this.#until((found) => encryptionStatus(found) === 'DISABLED')
  }

  async #encrypt(): Promise<void> {
    const DeliveryStreamEncryptionConfigurationInput = { KeyType: 'AWS_OWNED_CMK' }
    await this.#call('StartDeliveryStreamEncryption', {
      DeliveryStreamEncryptionConfigurationInput,
    })
    await this.#until((found) => encryptionStatus(found) === 'ENABLED')
  }

  async #read(description: JsonObject): Promise<State> {
    const [destination = {}] = description['Destinations'] as JsonObject[]
    const { Tags } = await this.#call('ListTagsForDeliveryStream')
    return {
      attributes: this.#block.read(destination, this.#state?.attributes ?? {}),
      source: sourceBlocks(description['Source']),
      tags: Object.fromEntries((Tags as JsonObject[]).map(({ Key, Value }) => [Key, Value])),
      isEncrypted: encryptionStatus(description) === 'ENABLED',
    }
  }

  async #describe(): Promise<JsonObject | undefined> {
    const outcome = await this.#outcome('DescribeDeliveryStream')
    if ('output' in outcome) return outcome.output['DeliveryStreamDescription'] as JsonObject
    if (outcome.errorType === 'ResourceNotFoundException') return undefined
    throw new Error(`Cannot describe ${this.#name}: ${outcome.errorType}: ${outcome.message}`)
  }

  async #until(isReached: (description: JsonObject | undefined) => boolean): Promise<void> {
    for (let count = 0; count < POLL_COUNT_MAX; count += 1) {
      if (isReached(await this.#describe())) return
      await sleep(POLL_MS)
    }
    throw new Error(`Cannot wait for ${this.#name} any longer`)
  }

  async #call(operation: string, input: JsonObject = {}): Promise<JsonObject> {
    const outcome = await this.#outcome(operation, input)
    if ('output' in outcome) return outcome.output
    throw new Error(`Cannot ${operation}: ${outcome.errorType}: ${outcome.message}`)
  }

  #outcome(operation: string, input: JsonObject = {}): Promise<Outcome> {
    return this.#caller.call(operation, { DeliveryStreamName: this.#name, ...input })
  }
}

function withDefaults(configuration: StreamConfiguration): State {
  return { source: {}, tags: {}, isEncrypted: false, ...configuration }
}

function tagList(tags: Readonly<Record<string, string>>): JsonObject[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
}

function encryptionStatus(description: JsonObject | undefined): unknown {
  const configuration = description?.['DeliveryStreamEncryptionConfiguration']
  return (configuration as JsonObject | undefined)?.['Status']
}
