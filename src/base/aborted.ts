/** Resolves when `signal` aborts; never, if `over` aborts before. */
export function aborted(signal: AbortSignal, over?: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  const { promise, resolve } = Promise.withResolvers<void>()
  const options = over === undefined ? { once: true } : { once: true, signal: over }
  signal.addEventListener('abort', () => resolve(), options)
  return promise
}
