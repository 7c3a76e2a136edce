const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
const BYTE_SIZE = /^(\d+(?:\.\d+)?)\s*([KMGT]?i?B?)$/i

/** Reads `1048576`, `512MiB`, `1.5 GiB`, `10G`; units are powers of 1024. Undefined if unreadable. */
export function parseByteSize(text: string): number | undefined {
  const match = BYTE_SIZE.exec(text.trim())
  if (match === null) return undefined
  const power = 'KMGT'.indexOf((match[2] ?? '').charAt(0).toUpperCase() || ' ') + 1
  return Math.round(Number(match[1]) * 1024 ** power)
}

/** For people: exact where it is a whole number of a unit, else one decimal. */
export function formatByteSize(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${UNITS[unit] ?? ''}`
}
