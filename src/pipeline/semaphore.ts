/** Lets at most `permits` tasks run at once; the others wait in the order they came. */
export class Semaphore {
  #permits: number
  readonly #waiting: (() => void)[] = []

  constructor(permits: number) {
    this.#permits = permits
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    const release = await this.acquire()
    try {
      return await task()
    } finally {
      release()
    }
  }

  /** @returns what gives the permit back; harmless the second time */
  async acquire(): Promise<() => void> {
    if (this.#permits > 0) this.#permits -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    let held = true
    return () => {
      if (!held) return
      held = false
      const next = this.#waiting.shift()
      if (next === undefined) this.#permits += 1
      else next()
    }
  }
}
