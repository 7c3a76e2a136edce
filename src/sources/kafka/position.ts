/**
 * How far a partition is read: the offset of the last record taken over, in decimal digits, and the id of
 * the topic it belongs to, where the cluster gives topics ids (Kafka 2.8 and later): `offset@topicId`.
 *
 * A topic that was deleted and made anew counts from 0 again. With the id that is noticed whatever its
 * offsets are by then; without, only once a position is beyond the end of the log.
 */

export interface KafkaPosition {
  readonly offset: bigint
  readonly topicId: string | undefined
}

export function formatPosition(offset: bigint | number, topicId: string | undefined): string {
  return topicId === undefined ? `${offset}` : `${offset}@${topicId}`
}

export function parsePosition(position: string): KafkaPosition {
  const [offset = '', topicId] = position.split('@')
  return { offset: BigInt(offset), topicId }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const NO_ID = '00000000-0000-0000-0000-000000000000'

/** Older clusters have no ids: the client then gives the topic's name, or zeros. */
export function knownTopicId(id: string): string | undefined {
  return UUID.test(id) && id !== NO_ID ? id : undefined
}
