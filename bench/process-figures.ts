import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts processor time in ticks of 10 ms. */
const TICKS_PER_SECOND = 100

/** User and system time of a process with all its threads, in seconds (Linux). */
export function cpuSeconds(pid: number): number {
  const { own } = figuresOf(pid)
  return own
}

/** The same of processes with all that they have started, those that have ended included. */
export function treeCpuSeconds(pids: readonly number[]): number {
  return [...pids, ...descendants(pids)]
    .map(figuresOf)
    .reduce((sum, { own, ended }) => sum + own + ended, 0)
}

/** Processes that these have started, and what those have. */
export function descendants(pids: readonly number[]): number[] {
  const found = new Set(pids)
  const running = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), ...figuresOf(Number(name)) }))
  // Number by number may name a child before its parent.
  for (let before = -1; before !== found.size;) {
    before = found.size
    for (const { pid, parent } of running) if (found.has(parent)) found.add(pid)
  }
  return [...found].filter((pid) => !pids.includes(pid))
}

/** Processor time that nobody on the machine has used since its start, all processors together. */
export function idleSeconds(): number {
  const [, , , , idle, waiting] = readFileSync('/proc/stat', 'utf8').split(/\s+/)
  return (Number(idle) + Number(waiting)) / TICKS_PER_SECOND
}

interface ProcessFigures {
  readonly parent: number
  /** Seconds of user and system time. */
  readonly own: number
  /** That of children that have ended, and were waited for. */
  readonly ended: number
}

/** Of a process that has ended: nothing. */
function figuresOf(pid: number): ProcessFigures {
  const stat = statOf(pid)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const seconds = (first: number): number =>
    (Number(fields[first] ?? 0) + Number(fields[first + 1] ?? 0)) / TICKS_PER_SECOND
  return { parent: Number(fields[1] ?? 0), own: seconds(11), ended: seconds(13) }
}

function statOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return ''
  }
}

/** Resident memory now and at its highest, in MiB (Linux). */
export function memoryMiB(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const read = (name: string): number =>
    Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) / 1024
  return { now: read('VmRSS'), peak: read('VmHWM') }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
