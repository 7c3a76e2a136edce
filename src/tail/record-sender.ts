export interface Refusal {
  /** Which of the records, from 0. */
  readonly index: number
  readonly reason: string
}

/** Takes records to a delivery stream. */
export interface RecordSender {
  /**
   * One request. Resolves with the records that were refused; the others are accepted.
   * @throws RequestRefused when it can't succeed before somebody mends something; any other error
   *   when its fate is unknown or it may succeed later
   */
  send(records: readonly Buffer[]): Promise<readonly Refusal[]>
}

/** No such stream, no permission, a stream that takes no puts: a mistake, if it is the first answer. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused'
}
