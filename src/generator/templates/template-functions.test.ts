import { expect, test } from 'vitest'
import type { Json } from '../../base/json.ts'
import { TemplateFunctions } from './template-functions.ts'

const functions = new TemplateFunctions(7, { nowMs: () => 0, simulatedMs: () => 0 })

function call(name: string, ...parameters: Json[]): string {
  return String(functions.find(name)?.(...parameters)())
}

/** The functions of faker 4.1.0, but for the cards of helpers, which make no text. */
const OLD_NAMES: Readonly<Record<string, string>> = {
  random: 'number arrayElement objectElement uuid boolean word words image locale alphaNumeric',
  helpers: 'randomize slugify replaceSymbolWithNumber replaceSymbols mustache',
  name: 'firstName lastName findName jobTitle prefix suffix title jobDescriptor jobArea jobType',
  address:
    'zipCode city cityPrefix citySuffix streetName streetAddress streetSuffix secondaryAddress county country countryCode state stateAbbr latitude longitude',
  company:
    'suffixes companyName companySuffix catchPhrase bs catchPhraseAdjective catchPhraseDescriptor catchPhraseNoun bsAdjective bsBuzz bsNoun',
  finance:
    'account accountName mask amount transactionType currencyCode currencyName currencySymbol bitcoinAddress iban bic',
  image:
    'image avatar imageUrl abstract animals business cats city food nightlife fashion people nature sports technics transport dataUri',
  lorem: 'word words sentence slug sentences paragraph paragraphs text lines',
  hacker: 'abbreviation adjective noun verb ingverb phrase',
  internet:
    'avatar email exampleEmail userName protocol url domainName domainSuffix domainWord ip ipv6 userAgent color mac password',
  database: 'column type collation engine',
  phone: 'phoneNumber phoneNumberFormat phoneFormats',
  date: 'past future recent month weekday now utc simTime',
  commerce: 'color department productName price productAdjective productMaterial product',
  system:
    'fileName commonFileName mimeType commonFileType commonFileExt fileType fileExt directoryPath filePath semver',
}

test.each(
  Object.entries(OLD_NAMES).flatMap(([module, names]) =>
    names.split(' ').map((name) => `${module}.${name}`),
  ),
)('%s makes a text', (name) => {
  const text = /^helpers\.(?!randomize)/.test(name) ? call(name, 'a text') : call(name)
  expect(text).toMatch(/[^]/)
  expect(text).not.toMatch(/undefined|\[object|NaN/)
})

test.each([
  ['phone.phoneNumberFormat', [], /^\d{3}-\d{3}-\d{4}$/],
  ['phone.phoneNumberFormat', [1], /^\(\d{3}\) \d{3}-\d{4}$/],
  ['phone.phoneNumber', ['+49 ### ####'], /^\+49 \d{3} \d{4}$/],
  ['address.zipCode', ['##-??'], /^\d\d-[A-Z]{2}$/],
  ['address.stateAbbr', [], /^[A-Z]{2}$/],
  ['address.latitude', [], /^-?\d{1,2}\.\d{4}$/],
  ['address.streetAddress', [true], / (?:Apt\.|Suite) \d+$/],
  ['internet.ip', [], /^(?:\d{1,3}\.){3}\d{1,3}$/],
  ['internet.password', [4], /^.{4}$/],
  ['internet.email', ['Ada'], /^Ada/i],
  ['internet.color', [], /^#[\da-f]{6}$/],
  ['finance.account', [5], /^\d{5}$/],
  ['finance.mask', [], /^\d{4}$/],
  ['finance.amount', [999.99], /^(?:999\.99|1000\.00)$/],
  ['commerce.price', [{ min: 5, max: 5 }], /^5\.00$/],
  ['random.uuid', [], /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/],
  ['random.alphaNumeric', [9], /^[\da-z]{9}$/],
  ['random.words', [4], /^\S+(?: \S+){3,}$/],
  ['helpers.replaceSymbolWithNumber', ['a#?'], /^a\d\?$/],
  ['image.imageUrl', [320], /^http:\/\/lorempixel\.com\/320\/480$/],
  ['image.cats', [], /^http:\/\/lorempixel\.com\/640\/480\/cats$/],
  ['lorem.words', [2], /^\w+ \w+$/],
  ['date.month', [{ abbr: true }], /^[A-Z][a-z]{2}$/],
  ['date.weekday', [], /^[A-Z][a-z]+day$/],
] as const)('%s takes %j as it used to', (name, parameters, expected) => {
  expect(call(name, ...parameters)).toMatch(expected)
})

test('0 makes a man of a first name, 1 a woman', () => {
  const names = (gender: number): Set<string> =>
    new Set(Array.from({ length: 2_000 }, () => call('name.prefix', gender)))
  expect(names(0).has('Mrs.')).toBe(false)
  expect(names(1).has('Mr.')).toBe(false)
})

test('all names can be called, those of today as well as the old ones', () => {
  const names = functions.names()
  expect(names).toEqual(expect.arrayContaining(['person.firstName', 'name.firstName']))
  expect(names.filter((name) => functions.find(name) === undefined)).toEqual([])
  expect(names.filter((name) => /constructor|seed|^fakerCore|_/.test(name))).toEqual([])
})
