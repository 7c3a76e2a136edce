interface Timed<Item> {
  readonly atMs: number
  readonly item: Item
}

/** Items by time, earliest first: a binary heap. */
export class TimeHeap<Item> {
  readonly #heap: Timed<Item>[] = []

  /** Time of the earliest item. */
  nextMs(): number | undefined {
    return this.#heap[0]?.atMs
  }

  add(atMs: number, item: Item): void {
    const timed = { atMs, item }
    let index = this.#heap.length
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = this.#heap[parentIndex] as Timed<Item>
      if (parent.atMs <= atMs) break
      this.#heap[index] = parent
      index = parentIndex
    }
    this.#heap[index] = timed
  }

  /** Takes the earliest item if it is due. */
  takeDue(nowMs: number): Timed<Item> | undefined {
    const first = this.#heap[0]
    if (first === undefined || first.atMs > nowMs) return undefined
    const last = this.#heap.pop() as Timed<Item>
    if (this.#heap.length > 0) this.#sink(last)
    return first
  }

  #sink(timed: Timed<Item>): void {
    let index = 0
    for (;;) {
      const left = this.#heap[2 * index + 1]
      const right = this.#heap[2 * index + 2]
      const isRight = right !== undefined && left !== undefined && right.atMs < left.atMs
      const child = isRight ? right : left
      if (child === undefined || child.atMs >= timed.atMs) break
      this.#heap[index] = child
      index = 2 * index + (isRight ? 2 : 1)
    }
    this.#heap[index] = timed
  }
}
