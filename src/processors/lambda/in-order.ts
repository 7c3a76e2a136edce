/**
 * Starts work on items as they come, so much at once, and gives the results in the items' order. An
 * item is taken only while a result is being asked for. When it ends early, by whatever way, the work
 * that is left is aborted, and over when this is.
 */
export async function* inOrder<Item, Result>(
  items: AsyncIterable<Item>,
  outstandingMax: number,
  aborted: AbortSignal,
  start: (item: Item, signal: AbortSignal) => Promise<Result>,
): AsyncGenerator<Result, void, undefined> {
  const ending = new AbortController()
  const signal = AbortSignal.any([aborted, ending.signal])
  const outstanding: Promise<Result>[] = []
  try {
    for await (const item of items) {
      const work = start(item, signal)
      // It is thrown when its turn comes, and is no unhandled rejection until then.
      work.catch(() => {})
      outstanding.push(work)
      if (outstanding.length < outstandingMax) continue
      const first = outstanding.shift()
      if (first !== undefined) yield await first
    }
    for (let work = outstanding.shift(); work !== undefined; work = outstanding.shift()) {
      yield await work
    }
  } finally {
    ending.abort()
    await Promise.allSettled(outstanding)
  }
}
