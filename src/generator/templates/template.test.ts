import { expect, test } from 'vitest'
import { SHIPPED_TEMPLATES } from './shipped-templates.ts'
import { TemplateFunctions } from './template-functions.ts'
import { compileTemplate } from './template.ts'

const NOW = Date.UTC(2026, 10, 22, 15, 25, 50, 6)
const time = { nowMs: () => NOW, simulatedMs: () => NOW + 3_600_000 }

function recordsOf(text: string, count = 1, seed = 7): string[] {
  const template = compileTemplate(text, new TemplateFunctions(seed, time))
  return Array.from({ length: count }, template)
}

test('the examples of the Kinesis Data Generator run as they are, each as one line', () => {
  const sensor = `
{
    "sensorId": {{random.number(50)}},
    "currentTemperature": {{random.number(
        {
            "min":10,
            "max":150
        }
    )}},
    "status": "{{random.arrayElement(
        ["OK","FAIL","WARN"]
    )}}",
    "pet": "{{random.weightedArrayElement(
      {
        "weights": [0.3,0.2,0.5],
        "data": ["cat","fish","dog"]
      }
    )}}"
}
`
  for (const record of recordsOf(sensor, 200)) {
    expect(record).not.toContain('\n')
    const { sensorId, currentTemperature, status, pet } = JSON.parse(record) as {
      sensorId: number
      currentTemperature: number
      status: string
      pet: string
    }
    expect(sensorId >= 0 && sensorId <= 50).toBe(true)
    expect(currentTemperature >= 10 && currentTemperature <= 150).toBe(true)
    expect(['OK', 'FAIL', 'WARN']).toContain(status)
    expect(['cat', 'fish', 'dog']).toContain(pet)
  }
  const [person] = recordsOf(
    '{{name.firstName}},{{name.lastName}},{{random.number(70)}},{{internet.ip}}',
  )
  expect(person).toMatch(/^[\w'-]+,[\w'-]+,\d{1,2},(?:\d{1,3}\.){3}\d{1,3}$/)
})

test.each([
  ['{{date.utc}}', '2026-11-22T15:25:50Z'],
  ['{{date.utc("dddd, MMMM Do YYYY, h:mm:ss a")}}', 'Sunday, November 22nd 2026, 3:25:50 pm'],
  ['{{date.utc(YYYY-MM-DD)}}', '2026-11-22'],
  ['{{ date.utc("x") }}', String(NOW)],
  ['{{date.simTime}}', '2026-11-22T16:25:50Z'],
  ['{{random.arrayElement(["x)"])}}', 'x)'],
  ['{"a":{"b":{{random.arrayElement([1])}}}}', '{"a":{"b":1}}'],
  ['{"a":{"b":1},"c":{{random.arrayElement([{"d":{"e":2}}])}}}', '{"a":{"b":1},"c":{"d":{"e":2}}}'],
  ['{{random.arrayElement([null])}} {{random.arrayElement([[1,2]])}}', 'null 1,2'],
  ['a\r\nb\n{{random.arrayElement(["c"])}}', 'abc'],
  ['{{finance.amount({"min":5,"max":5})}}', '5.00'],
  ['{{number.int({"min":3,"max":3})}}', '3'],
])('%s', (text, record) => {
  expect(recordsOf(text)).toEqual([record])
})

test('date.now and its old name tell local time with its offset', () => {
  const [record = ''] = recordsOf('{{date.now}} {{current.timestamp}} {{date.now("x")}}')
  const [now = '', stamp, ms] = record.split(' ')
  expect(now).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$/)
  expect([Date.parse(now), stamp, ms]).toEqual([NOW - 6, now, String(NOW)])
})

test('dates of the old faker are written as JavaScript writes them, relative to now', () => {
  const [past = ''] = recordsOf('{{date.past(2)}}')
  expect(String(new Date(past))).toBe(past)
  expect(Date.parse(past)).toBeLessThan(NOW)
  expect(Date.parse(past)).toBeGreaterThan(NOW - 2 * 366 * 86_400_000)
})

test('the same seed makes the same records, another one others', () => {
  const text = '{{random.uuid}} {{name.findName}} {{random.number}} {{date.past}}'
  expect(recordsOf(text, 5)).toEqual(recordsOf(text, 5))
  expect(recordsOf(text, 5)).not.toEqual(recordsOf(text, 5, 8))
  expect(new Set(recordsOf(text, 100)).size).toBe(100)
})

test('weights are kept', () => {
  const text = '{{random.weightedArrayElement({"weights":[30,70,0],"data":["a","b","c"]})}}'
  const records = recordsOf(text, 10_000)
  const part = records.filter((record) => record === 'a').length / records.length
  expect(Math.abs(part - 0.3)).toBeLessThan(0.02)
  expect(records).not.toContain('c')
})

test('random.number reaches both ends, and keeps to its precision', () => {
  const values = (text: string): number[] =>
    [...new Set(recordsOf(text, 500).map(Number))].toSorted((a, b) => a - b)
  expect(values('{{random.number(3)}}')).toEqual([0, 1, 2, 3])
  expect(values('{{random.number({"min":-1,"max":1})}}')).toEqual([-1, 0, 1])
  expect(values('{{random.number({"min":0.5,"max":1,"precision":0.1})}}')).toEqual([
    0.5, 0.6, 0.7, 0.8, 0.9, 1,
  ])
  expect(values('{{random.number({"min":0,"max":100,"precision":50})}}')).toEqual([0, 50, 100])
})

test.each([
  ['{{name.firstNam}}', 'there is no function name.firstNam'],
  ['{{constructor.constructor("x")}}', 'there is no function constructor.constructor'],
  ['{{lorem.constructor}}', 'there is no function lorem.constructor'],
  ['{{random}}', 'there is no function random'],
  ['{{lorem.words.call}}', 'there is no function lorem.words.call'],
  ['{{random.number(5', '{{random.number(5 is not {{module.function}}'],
  ['a {{ b', '{{ b is not {{module.function}}'],
  ['{{random.number({"min":5,"max":1})}}', 'max must not be less than min'],
  ['{{random.number("5")}}', 'the parameter must be a maximum'],
  ['{{random.number({"min":0.1,"max":0.9})}}', 'no multiple of 1 between min and max'],
  ['{{random.arrayElement([])}}', 'must be a JSON array'],
  ['{{random.arrayElement(["a","b")}}', 'must be a JSON array'],
  ['{{random.weightedArrayElement({"weights":[1],"data":["a","b"]})}}', 'must be like {"weights"'],
  ['{{random.weightedArrayElement({"weights":[0],"data":["a"]})}}', 'must not all be 0'],
  ['{{date.now(5)}}', 'must be a format'],
  ['{{helpers.fromRegExp}}', 'Cannot use {{helpers.fromRegExp}}: '],
])('%s is refused before the first record', (text, message) => {
  expect(() => recordsOf(text)).toThrow(message)
})

test('the templates that are shipped make what their names say', () => {
  const line = (name: string): string => recordsOf(SHIPPED_TEMPLATES[name] ?? '')[0] ?? ''
  for (const name of ['json-orders', 'json-clicks', 'json-sensors']) {
    expect(typeof JSON.parse(line(name))).toBe('object')
  }
  expect(line('apache-log')).toMatch(
    /^[\d.]+ - - \[\d\d\/\w{3}\/\d{4}:[\d:]{8} [+-]\d{4}\] "[A-Z]+ \/.+ HTTP\/1\.1" \d{3} \d+ "-" ".+"$/,
  )
  expect(line('csv-payments').split(',')).toHaveLength(6)
  expect(line('syslog')).toMatch(/^<\d+>1 2026-11-22T15:25:50\.006Z \S+ \w+ \d+ - - ./)
})
