export function streamArn(
  streamName: string,
  { accountId, region }: { readonly accountId: string; readonly region: string },
): string {
  return `arn:aws:firehose:${region}:${accountId}:deliverystream/${streamName}`
}
