const PRINTABLE_ASCII = /^[\x20-\x7e]*$/

/** Whether a secret can be sent in a header as it is. */
export function isHeaderValue(text: string): boolean {
  return PRINTABLE_ASCII.test(text)
}

/** JSON that a header can hold: what is not ASCII is escaped. */
export function headerJson(value: object): string {
  return JSON.stringify(value).replaceAll(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
