/**
 * The delivery stream of the first minute, in CloudFormation's shape: declared when the settings
 * declare none and objects go to a local folder. In somebody's S3 there is no bucket for it.
 */
export const QUICKSTART_BUCKET = 'quickstart'
export const QUICKSTART_STREAM = {
  DeliveryStreamName: 'quickstart',
  DeliveryStreamType: 'DirectPut',
  ExtendedS3DestinationConfiguration: {
    RoleARN: 'arn:aws:iam::000000000000:role/standpipe',
    BucketARN: `arn:aws:s3:::${QUICKSTART_BUCKET}`,
    BufferingHints: { SizeInMBs: 5, IntervalInSeconds: 10 },
    CompressionFormat: 'GZIP',
    ProcessingConfiguration: {
      Enabled: true,
      Processors: [
        {
          Type: 'AppendDelimiterToRecord',
          Parameters: [{ ParameterName: 'Delimiter', ParameterValue: String.raw`\n` }],
        },
      ],
    },
  },
}
