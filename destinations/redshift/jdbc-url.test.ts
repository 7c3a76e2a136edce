import { expect, test } from 'vitest'
import { parseJdbcUrl } from './jdbc-url.ts'

test.each([
  [
    'jdbc:redshift://c.x.us-east-1.redshift.amazonaws.com:5439/dev',
    {
      dialect: 'redshift',
      host: 'c.x.us-east-1.redshift.amazonaws.com',
      port: 5439,
      database: 'dev',
    },
  ],
  [
    'jdbc:postgresql://w.1.us-east-1.redshift-serverless.amazonaws.com:5439/dev',
    {
      dialect: 'redshift',
      host: 'w.1.us-east-1.redshift-serverless.amazonaws.com',
      port: 5439,
      database: 'dev',
    },
  ],
  [
    'jdbc:redshift://localhost:1/a',
    { dialect: 'redshift', host: 'localhost', port: 1, database: 'a' },
  ],
  [
    'jdbc:postgresql://[::1]:5432/my-db?sslmode=require',
    { dialect: 'postgres', host: '::1', port: 5432, database: 'my-db', sslMode: 'require' },
  ],
])('%s', (url, address) => {
  expect(parseJdbcUrl(url)).toEqual(address)
})

test.each([
  'jdbc:mysql://host:3306/db',
  'jdbc:postgresql://host/db',
  'jdbc:postgresql://host:70000/db',
  'jdbc:postgresql://user:password@host:5432/db',
  'jdbc:postgresql://host:5432/db?sslmode=prefer',
  'jdbc:postgresql://host:5432/db?user=me',
])('%s is none', (url) => {
  expect(() => parseJdbcUrl(url)).toThrow('Invalid ClusterJDBCURL')
})
