/** Where more zeros would stand between the digits and the decimal point, there is an exponent. */
const ZEROS_MAX = 15
/** Whole numbers below this one are written in the same way by JavaScript. */
const PLAIN_BELOW = 1e15

/**
 * A number as jq 1.6 prints it: the fewest digits that make the same double, and an exponent of two
 * digits or more below 0.0001 and where more than 15 zeros would follow the digits. What lies beyond
 * the doubles (JSON's 1e1000) is the greatest one.
 */
export function jqNumber(value: number): string {
  if (Object.is(value, -0)) return '-0'
  if (Number.isInteger(value) && Math.abs(value) < PLAIN_BELOW) return String(value)
  if (value < 0) return `-${jqNumber(-value)}`
  const [mantissa = '', exponent = ''] = Math.min(value, Number.MAX_VALUE)
    .toExponential()
    .split('e')
  const digits = mantissa.replace('.', '')
  /** How many digits stand before the decimal point. */
  const whole = Number(exponent) + 1
  if (whole <= -4 || whole > digits.length + ZEROS_MAX) {
    const sign = whole > 0 ? '+' : '-'
    return `${mantissa}e${sign}${String(Math.abs(whole - 1)).padStart(2, '0')}`
  }
  if (whole <= 0) return `0.${'0'.repeat(-whole)}${digits}`
  if (whole >= digits.length) return digits.padEnd(whole, '0')
  return `${digits.slice(0, whole)}.${digits.slice(whole)}`
}
