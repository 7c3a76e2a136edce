//! From JSON to the SDK's types. A member that isn't mapped here is a mistake of the scenario's author.

use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::{
    BufferingHints, ExtendedS3DestinationConfiguration, ExtendedS3DestinationUpdate,
    ProcessingConfiguration, Processor, Record, S3DestinationConfiguration, Tag,
};
use base64::prelude::{Engine, BASE64_STANDARD};
use serde_json::Value;

pub fn text(input: &Value, member: &str) -> Option<String> {
    input[member].as_str().map(String::from)
}

pub fn number(input: &Value, member: &str) -> Option<i32> {
    input[member].as_i64().map(|number| number as i32)
}

pub fn record(record: &Value) -> Record {
    let data = BASE64_STANDARD.decode(record["Data"].as_str().unwrap()).unwrap();
    Record::builder().data(Blob::new(data)).build().unwrap()
}

pub fn records(input: &Value) -> Vec<Record> {
    input["Records"].as_array().unwrap().iter().map(record).collect()
}

pub fn tags(input: &Value) -> Option<Vec<Tag>> {
    let tag = |tag: &Value| {
        Tag::builder().set_key(text(tag, "Key")).set_value(text(tag, "Value")).build().unwrap()
    };
    Some(input["Tags"].as_array()?.iter().map(tag).collect())
}

pub fn tag_keys(input: &Value) -> Option<Vec<String>> {
    Some(input["TagKeys"].as_array()?.iter().map(|key| key.as_str().unwrap().into()).collect())
}

pub fn extended_s3(input: &Value) -> Option<ExtendedS3DestinationConfiguration> {
    let input = input.get("ExtendedS3DestinationConfiguration")?;
    let configuration = ExtendedS3DestinationConfiguration::builder()
        .set_role_arn(text(input, "RoleARN"))
        .set_bucket_arn(text(input, "BucketARN"))
        .set_buffering_hints(buffering_hints(input))
        .set_compression_format(text(input, "CompressionFormat").map(|name| name.as_str().into()))
        .set_processing_configuration(processing(input));
    Some(configuration.build().unwrap())
}

#[allow(deprecated)]
pub fn s3(input: &Value) -> Option<S3DestinationConfiguration> {
    let input = input.get("S3DestinationConfiguration")?;
    let configuration = S3DestinationConfiguration::builder()
        .set_role_arn(text(input, "RoleARN"))
        .set_bucket_arn(text(input, "BucketARN"))
        .set_buffering_hints(buffering_hints(input));
    Some(configuration.build().unwrap())
}

pub fn extended_s3_update(input: &Value) -> Option<ExtendedS3DestinationUpdate> {
    let input = input.get("ExtendedS3DestinationUpdate")?;
    let update = ExtendedS3DestinationUpdate::builder()
        .set_prefix(text(input, "Prefix"))
        .set_error_output_prefix(text(input, "ErrorOutputPrefix"));
    Some(update.build())
}

fn buffering_hints(input: &Value) -> Option<BufferingHints> {
    let input = input.get("BufferingHints")?;
    let hints = BufferingHints::builder()
        .set_size_in_mbs(number(input, "SizeInMBs"))
        .set_interval_in_seconds(number(input, "IntervalInSeconds"));
    Some(hints.build())
}

fn processing(input: &Value) -> Option<ProcessingConfiguration> {
    let input = input.get("ProcessingConfiguration")?;
    let processor = |processor: &Value| {
        Processor::builder().r#type(processor["Type"].as_str()?.into()).build().ok()
    };
    let configuration = ProcessingConfiguration::builder()
        .set_enabled(input["Enabled"].as_bool())
        .set_processors(input["Processors"].as_array().map(|list| {
            list.iter().filter_map(processor).collect()
        }));
    Some(configuration.build())
}
