//! From the SDK's answers to JSON, in the API's own spelling.

use aws_sdk_firehose::operation::create_delivery_stream::CreateDeliveryStreamOutput;
use aws_sdk_firehose::operation::describe_delivery_stream::DescribeDeliveryStreamOutput;
use aws_sdk_firehose::operation::list_delivery_streams::ListDeliveryStreamsOutput;
use aws_sdk_firehose::operation::list_tags_for_delivery_stream::ListTagsForDeliveryStreamOutput;
use aws_sdk_firehose::operation::put_record::PutRecordOutput;
use aws_sdk_firehose::operation::put_record_batch::PutRecordBatchOutput;
use aws_sdk_firehose::types::{DestinationDescription, PutRecordBatchResponseEntry, Tag};
use serde_json::{json, Value};

pub fn empty<Output>(_: &Output) -> Value {
    json!({})
}

pub fn created(output: &CreateDeliveryStreamOutput) -> Value {
    json!({ "DeliveryStreamARN": output.delivery_stream_arn() })
}

pub fn put(output: &PutRecordOutput) -> Value {
    json!({ "RecordId": output.record_id(), "Encrypted": output.encrypted() })
}

pub fn put_batch(output: &PutRecordBatchOutput) -> Value {
    let response = |entry: &PutRecordBatchResponseEntry| {
        json!({
            "RecordId": entry.record_id(),
            "ErrorCode": entry.error_code(),
            "ErrorMessage": entry.error_message(),
        })
    };
    json!({
        "FailedPutCount": output.failed_put_count(),
        "Encrypted": output.encrypted(),
        "RequestResponses": output.request_responses().iter().map(response).collect::<Vec<_>>(),
    })
}

pub fn listed(output: &ListDeliveryStreamsOutput) -> Value {
    json!({
        "DeliveryStreamNames": output.delivery_stream_names(),
        "HasMoreDeliveryStreams": output.has_more_delivery_streams(),
    })
}

pub fn tags(output: &ListTagsForDeliveryStreamOutput) -> Value {
    let tag = |tag: &Tag| json!({ "Key": tag.key(), "Value": tag.value() });
    json!({
        "Tags": output.tags().iter().map(tag).collect::<Vec<_>>(),
        "HasMoreTags": output.has_more_tags(),
    })
}

pub fn described(output: &DescribeDeliveryStreamOutput) -> Value {
    let stream = output.delivery_stream_description().unwrap();
    let encryption = stream.delivery_stream_encryption_configuration();
    json!({
        "DeliveryStreamDescription": {
            "DeliveryStreamName": stream.delivery_stream_name(),
            "DeliveryStreamARN": stream.delivery_stream_arn(),
            "DeliveryStreamStatus": stream.delivery_stream_status().as_str(),
            "DeliveryStreamType": stream.delivery_stream_type().as_str(),
            "VersionId": stream.version_id(),
            "HasMoreDestinations": stream.has_more_destinations(),
            "DeliveryStreamEncryptionConfiguration": encryption.map(|encryption| {
                json!({ "Status": encryption.status().map(|status| status.as_str()) })
            }),
            "Destinations": stream.destinations().iter().map(destination).collect::<Vec<_>>(),
        }
    })
}

fn destination(destination: &DestinationDescription) -> Value {
    let s3 = destination.extended_s3_destination_description().unwrap();
    let hints = s3.buffering_hints().unwrap();
    let encryption = s3.encryption_configuration().unwrap().no_encryption_config();
    json!({
        "DestinationId": destination.destination_id(),
        "ExtendedS3DestinationDescription": {
            "Prefix": s3.prefix(),
            "BufferingHints": {
                "SizeInMBs": hints.size_in_mbs(),
                "IntervalInSeconds": hints.interval_in_seconds(),
            },
            "CompressionFormat": s3.compression_format().as_str(),
            "EncryptionConfiguration": {
                "NoEncryptionConfig": encryption.map(|config| config.as_str()),
            },
            "S3BackupMode": s3.s3_backup_mode().map(|mode| mode.as_str()),
        },
    })
}
