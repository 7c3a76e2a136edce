/**
 * The functions of faker 3 and 4 whose names or parameters are others in today's faker. Templates pass
 * one parameter. What kept its name and its meaning (lorem, hacker, database, …) is not in here.
 */
import { allLocales } from '@faker-js/faker'
import type { Faker, SexType } from '@faker-js/faker'
import { isJsonObject } from '../../base/json.ts'
import type { Json } from '../../base/json.ts'

type RenamedFunction = (parameter: Json | undefined) => unknown

const PHONE_FORMATS = ['###-###-####', '(###) ###-####', '1-###-###-####', '###.###.####']
const COMPANY_SUFFIXES = ['Inc', 'and Sons', 'LLC', 'Group']
/** Where old faker's pictures were; the host is gone, the URLs are still good test data. */
const PICTURES_URL = 'http://lorempixel.com'
const PICTURES = [
  'abstract',
  'animals',
  'business',
  'cats',
  'city',
  'food',
  'nightlife',
  'fashion',
  'people',
  'nature',
  'sports',
  'technics',
  'transport',
]

export function renamedFunctions(faker: Faker): Readonly<Record<string, RenamedFunction>> {
  const pictures = PICTURES.map((category): [string, RenamedFunction] => [
    `image.${category}`,
    () => `${PICTURES_URL}/640/480/${category}`,
  ])
  return {
    ...random(faker),
    ...people(faker),
    ...places(faker),
    ...trade(faker),
    ...internet(faker),
    ...dates(faker),
    ...Object.fromEntries(pictures),
  }
}

function random(faker: Faker): Record<string, RenamedFunction> {
  return {
    'random.uuid': () => faker.string.uuid(),
    'random.word': () => faker.word.sample(),
    'random.words': (count) =>
      faker.word.words(numberOf(count) ?? faker.number.int({ min: 1, max: 3 })),
    'random.image': () => `${PICTURES_URL}/640/480/${faker.helpers.arrayElement(PICTURES)}`,
    'random.locale': () => faker.helpers.arrayElement(Object.keys(allLocales)),
    'random.alphaNumeric': (count) =>
      faker.string.alphanumeric({ length: numberOf(count) ?? 1, casing: 'lower' }),
    'helpers.replaceSymbolWithNumber': (text) => digits(faker, textOf(text) ?? ''),
    'image.image': () => `${PICTURES_URL}/640/480/${faker.helpers.arrayElement(PICTURES)}`,
    'image.imageUrl': (width) => `${PICTURES_URL}/${numberOf(width) ?? 640}/480`,
    'image.dataUri': (width) => faker.image.dataUri({ width: numberOf(width) ?? 640 }),
  }
}

function people(faker: Faker): Record<string, RenamedFunction> {
  const { person, phone } = faker
  return {
    'name.firstName': (gender) => person.firstName(sexOf(gender)),
    'name.lastName': (gender) => person.lastName(sexOf(gender)),
    'name.findName': () => person.fullName(),
    'name.prefix': (gender) => person.prefix(sexOf(gender)),
    'name.suffix': () => person.suffix(),
    'name.title': () => person.jobTitle(),
    'name.jobTitle': () => person.jobTitle(),
    'name.jobDescriptor': () => person.jobDescriptor(),
    'name.jobArea': () => person.jobArea(),
    'name.jobType': () => person.jobType(),
    'phone.phoneNumber': (format) =>
      textOf(format) === undefined ? phone.number() : digits(faker, textOf(format) ?? ''),
    'phone.phoneNumberFormat': (index) =>
      digits(faker, PHONE_FORMATS[(numberOf(index) ?? 0) % PHONE_FORMATS.length] ?? ''),
    'phone.phoneFormats': () => faker.helpers.arrayElement(PHONE_FORMATS),
  }
}

function places(faker: Faker): Record<string, RenamedFunction> {
  const { location, definitions, helpers } = faker
  return {
    'address.zipCode': (format) => location.zipCode(textOf(format) ?? {}),
    'address.city': () => location.city(),
    'address.cityPrefix': () => helpers.arrayElement(definitions.location.city_prefix),
    'address.citySuffix': () => helpers.arrayElement(definitions.location.city_suffix),
    'address.streetName': () => location.street(),
    'address.streetAddress': (isFull) => location.streetAddress(isFull === true),
    'address.streetSuffix': () => helpers.arrayElement(definitions.location.street_suffix),
    'address.secondaryAddress': () => location.secondaryAddress(),
    'address.county': () => location.county(),
    'address.country': () => location.country(),
    'address.countryCode': () => location.countryCode(),
    'address.state': () => location.state(),
    'address.stateAbbr': () => location.state({ abbreviated: true }),
    'address.latitude': () => location.latitude({ precision: 4 }).toFixed(4),
    'address.longitude': () => location.longitude({ precision: 4 }).toFixed(4),
  }
}

function trade(faker: Faker): Record<string, RenamedFunction> {
  const { commerce, company, finance, helpers } = faker
  return {
    'commerce.color': () => faker.color.human(),
    'commerce.price': (min) => commerce.price({ min: numberOf(min) ?? 0, ...membersOf(min) }),
    'company.suffixes': () => COMPANY_SUFFIXES,
    'company.companyName': () => company.name(),
    'company.companySuffix': () => helpers.arrayElement(COMPANY_SUFFIXES),
    'company.bs': () => company.buzzPhrase(),
    'company.bsAdjective': () => company.buzzAdjective(),
    'company.bsBuzz': () => company.buzzVerb(),
    'company.bsNoun': () => company.buzzNoun(),
    'finance.account': (length) => finance.accountNumber(numberOf(length) ?? 8),
    'finance.mask': (length) => faker.string.numeric(numberOf(length) ?? 4),
    'finance.amount': (min) => finance.amount({ min: numberOf(min) ?? 0, ...membersOf(min) }),
    'finance.iban': (isFormatted) => finance.iban({ formatted: isFormatted === true }),
  }
}

function internet(faker: Faker): Record<string, RenamedFunction> {
  const { internet } = faker
  return {
    'internet.avatar': () => faker.image.avatar(),
    'internet.email': (person) => internet.email(firstNameOf(person)),
    'internet.exampleEmail': (person) => internet.exampleEmail(firstNameOf(person)),
    'internet.userName': (person) => internet.username(firstNameOf(person)),
    'internet.ip': () => internet.ipv4(),
    'internet.color': () => faker.color.rgb(),
    'internet.password': (length) =>
      internet.password({ length: numberOf(length) ?? 15, ...membersOf(length) }),
  }
}

function dates(faker: Faker): Record<string, RenamedFunction> {
  const { date } = faker
  return {
    'date.past': (years) => date.past({ years: numberOf(years) ?? 1, ...membersOf(years) }),
    'date.future': (years) => date.future({ years: numberOf(years) ?? 1, ...membersOf(years) }),
    'date.recent': (days) => date.recent({ days: numberOf(days) ?? 1, ...membersOf(days) }),
    'date.month': (options) => date.month(abbreviated(options)),
    'date.weekday': (options) => date.weekday(abbreviated(options)),
  }
}

/** Each `#` becomes a digit. */
function digits(faker: Faker, format: string): string {
  return format.replaceAll('#', () => String(faker.number.int(9)))
}

/** Old faker counted: 0 is male, 1 female. */
function sexOf(gender: Json | undefined): SexType | undefined {
  if (gender === 'male' || gender === 'female') return gender
  return gender === undefined ? undefined : gender === 0 ? 'male' : 'female'
}

function firstNameOf(person: Json | undefined): { firstName?: string } {
  return typeof person === 'string' ? { firstName: person } : membersOf(person)
}

/** Old templates say `abbr`, today's faker `abbreviated`. */
function abbreviated(options: Json | undefined): { abbreviated: boolean } {
  const { abbr, abbreviated } = membersOf(options) as { abbr?: Json; abbreviated?: Json }
  return { abbreviated: abbr === true || abbreviated === true }
}

function numberOf(parameter: Json | undefined): number | undefined {
  return typeof parameter === 'number' ? parameter : undefined
}

function textOf(parameter: Json | undefined): string | undefined {
  return typeof parameter === 'string' ? parameter : undefined
}

/** The options as today's faker takes them, if the parameter is that. */
function membersOf(parameter: Json | undefined): Record<string, never> {
  return isJsonObject(parameter) ? (parameter as Record<string, never>) : {}
}
