/** Records as AWS's services put them, one event each, with the members of their documentation. */
import { gzipSync } from 'node:zlib'

const ACCOUNT = '123456789012'

/** A subscription of CloudWatch Logs: gzip of one envelope, put with PutRecord. */
export function cloudWatchLogs(messages: readonly string[]): Buffer {
  return logsEnvelope('DATA_MESSAGE', messages)
}

/** What CloudWatch Logs puts when a subscription is made, to see whether anybody is there. */
export function cloudWatchLogsControlMessage(): Buffer {
  return logsEnvelope('CONTROL_MESSAGE', ['CWL CONTROL MESSAGE: Checking health of destination'])
}

/** A message of SNS without raw delivery: an envelope and a line feed, put with PutRecordBatch. */
export function snsNotification(message: string): string {
  const topic = `arn:aws:sns:us-east-1:${ACCOUNT}:orders`
  const envelope = {
    Type: 'Notification',
    MessageId: '6ae0c9e2-0a5b-5e8f-9d0c-8b0f5e4a7d11',
    TopicArn: topic,
    Subject: 'Order',
    Message: message,
    Timestamp: '2026-11-21T12:00:00.000Z',
    UnsubscribeURL: `https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=${topic}:1`,
    MessageAttributes: { kind: { Type: 'String', Value: 'order' } },
  }
  return `${JSON.stringify(envelope)}\n`
}

/** An event of EventBridge, without a line feed, put with PutRecord. */
export function eventBridgeEvent(detail: object): string {
  return JSON.stringify({
    version: '0',
    id: '17793124-05d4-b198-2fde-7ededc63b103',
    'detail-type': 'Order Placed',
    source: 'shop.orders',
    account: ACCOUNT,
    time: '2026-11-21T12:00:00Z',
    region: 'us-east-1',
    resources: [],
    detail,
  })
}

function logsEnvelope(messageType: string, messages: readonly string[]): Buffer {
  const timestamp = Date.UTC(2026, 10, 21, 12)
  const envelope = {
    messageType,
    owner: messageType === 'CONTROL_MESSAGE' ? 'CloudwatchLogs' : ACCOUNT,
    logGroup: '/aws/lambda/orders',
    logStream: '2026/11/21/[$LATEST]0123456789abcdef0123456789abcdef',
    subscriptionFilters: ['to-firehose'],
    logEvents: messages.map((message, index) => ({
      id: String(index).padStart(56, '3'),
      timestamp: timestamp + index,
      message,
    })),
  }
  return gzipSync(JSON.stringify(envelope))
}
