import { join } from 'node:path'
import { maskedBackend } from '../backend.ts'
import type { Role } from '../backends/opened-backend.ts'
import { QUICKSTART_BUCKET, QUICKSTART_STREAM } from '../settings/quickstart.ts'
import type { ObjectStoreChoice, Settings } from '../settings.ts'

export interface BannerFacts {
  readonly url: string
  readonly settings: Settings
  readonly role: Role
  readonly objectStore: ObjectStoreChoice
}

/** What a human wants to know first: where to send, what to try, where objects appear. */
export function banner({ url, settings, role, objectStore }: BannerFacts): string {
  const { tlsListen, backend, dataDir } = settings
  const urls = tlsListen === undefined ? url : `${url} and https://${tlsListen}`
  const lines = [
    '',
    role === 'worker'
      ? `Standpipe delivers, and tells how it is on ${urls}`
      : `Standpipe listens on ${urls}`,
    '',
    `  records wait in  ${backend === 'embedded' ? dataDir : maskedBackend(backend)}`,
    `  objects go to    ${objectStore.place} (${objectStore.reason})`,
    `  who may send     ${whoMaySend(settings)}`,
    '',
  ]
  if (role === 'worker') return lines.join('\n')
  const isReady = settings.deliveryStreams.some(
    ({ DeliveryStreamName }) => DeliveryStreamName === QUICKSTART_STREAM.DeliveryStreamName,
  )
  return [...lines, ...(isReady ? firstSteps(url, settings, objectStore) : []), ''].join('\n')
}

function whoMaySend({ accessKeys, insecureOpen }: Settings): string {
  const count = accessKeys.length
  if (count > 0)
    return `who signs with ${count === 1 ? 'the access key' : `one of ${count} access keys`}`
  if (insecureOpen) return 'whoever reaches this address: no access keys, and insecureOpen is set'
  return 'this machine only: without access keys nothing but loopback is answered'
}

/** The Data of the CLI line is base64, as version 2 of the AWS CLI wants it. */
function firstSteps(
  listened: string,
  settings: Settings,
  objectStore: ObjectStoreChoice,
): string[] {
  // An address to listen on need not be one to call.
  const url = listened.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')
  const name = QUICKSTART_STREAM.DeliveryStreamName
  const folder = placeOf(objectStore)
  const hasKeys = settings.accessKeys.length > 0
  const signed = hasKeys
    ? `--aws-sigv4 aws:amz:${settings.region}:firehose --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" `
    : ''
  const credentials = hasKeys ? '' : 'AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any '
  return [
    `Try the delivery stream ${name}:`,
    '',
    `  curl ${signed}${url}/streams/${name}/records -d '{"hello":"world"}'`,
    '',
    `  ${credentials}aws firehose put-record --endpoint-url ${url} \\`,
    `    --region ${settings.region} --delivery-stream-name ${name} \\`,
    `    --record '{"Data":"eyJoZWxsbyI6IndvcmxkIn0="}'`,
    '',
    `Ten seconds later there is an object under ${folder}`,
  ]
}

/** A folder, or a URL whose slashes are to stay. */
function placeOf({ kind, place }: ObjectStoreChoice): string {
  if (kind === 'folder') return join(place, QUICKSTART_BUCKET)
  return `${place.replace(/\/$/, '')}/${QUICKSTART_BUCKET}`
}
