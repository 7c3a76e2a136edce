/** Numbers in their decimal digits, so that none is rounded that needn't be. */

/** Far beyond what any column holds; an exponent of a billion must not become a billion digits. */
const EXPONENT_MAX = 400
const NUMBER = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,9}))?$/

interface Digits {
  readonly isNegative: boolean
  /** Before the point, without leading zeros. */
  readonly whole: string
  /** Behind it. */
  readonly fraction: string
}

/** As an integer of the column's units, rounded half up as Hive does; undefined when it has no room. */
export function unscaledDecimal(
  text: string,
  precision: number,
  scale: number,
): bigint | undefined {
  const digits = digitsOf(text)
  if (digits === undefined || digits.whole.length > precision - scale) return undefined
  const { isNegative, whole, fraction } = digits
  const kept = BigInt(`${whole}${fraction.slice(0, scale).padEnd(scale, '0')}` || '0')
  const magnitude = (fraction[scale] ?? '0') >= '5' ? kept + 1n : kept
  if (magnitude >= 10n ** BigInt(precision)) return undefined
  return isNegative ? -magnitude : magnitude
}

/** Undefined for what is not a whole number, or has more than 19 digits. */
export function wholeNumber(text: string): bigint | undefined {
  const digits = digitsOf(text)
  if (digits === undefined || digits.whole.length > 19 || /[^0]/.test(digits.fraction)) {
    return undefined
  }
  const magnitude = BigInt(digits.whole || '0')
  return digits.isNegative ? -magnitude : magnitude
}

/** With the point where the exponent puts it. */
function digitsOf(text: string): Digits | undefined {
  const [, sign, whole = '', fraction = '', exponentText = '0'] = NUMBER.exec(text) ?? []
  const exponent = Number(exponentText)
  if (sign === undefined || !/\d/.test(text)) return undefined
  if (Math.abs(exponent) > EXPONENT_MAX) {
    return /[^0]/.test(whole + fraction)
      ? undefined
      : { isNegative: false, whole: '', fraction: '' }
  }
  const left = exponent < 0 ? whole.padStart(-exponent, '0') : whole
  const right = exponent > 0 ? fraction.padEnd(exponent, '0') : fraction
  const digits = left + right
  const point = left.length + exponent
  return {
    isNegative: sign === '-',
    whole: digits.slice(0, point).replace(/^0+/, ''),
    fraction: digits.slice(point),
  }
}
