//! Calls Firehose through aws-sdk-firehose: one JSON request a line on stdin, one JSON outcome a line
//! on stdout. This SDK has no way from JSON to its types, so `requests.rs` and `answers.rs` map the
//! members that the scenarios use. It refuses answers that lack a member the model requires.

mod answers;
mod requests;

use aws_credential_types::Credentials;
use aws_sdk_firehose::config::{BehaviorVersion, Region};
use aws_sdk_firehose::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_firehose::{Client, Config};
use serde_json::{json, Value};
use std::env::var;
use std::io::{stdin, BufRead};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let client = client();
    for line in stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let operation = request["operation"].as_str().unwrap();
        println!("{}", outcome(&client, operation, &request["input"]).await);
    }
}

fn client() -> Client {
    let setting = |name| var(name).unwrap();
    let credentials = Credentials::new(
        setting("AWS_ACCESS_KEY_ID"),
        setting("AWS_SECRET_ACCESS_KEY"),
        None,
        None,
        "environment",
    );
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(setting("AWS_DEFAULT_REGION")))
        .endpoint_url(setting("AWS_ENDPOINT_URL_FIREHOSE"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(credentials);
    Client::from_conf(config.build())
}

/// Sends a fluent builder and tells what came of it.
macro_rules! send {
    ($builder:expr, $answer:expr) => {
        match $builder.send().await {
            Ok(output) => json!({ "output": $answer(&output) }),
            Err(error) => match error.code() {
                Some(code) => json!({ "errorType": code, "message": error.message() }),
                None => panic!("{}", DisplayErrorContext(error)),
            },
        }
    };
}

#[allow(deprecated)]
async fn outcome(client: &Client, operation: &str, input: &Value) -> Value {
    let name = requests::text(input, "DeliveryStreamName");
    match operation {
        "CreateDeliveryStream" => send!(
            client
                .create_delivery_stream()
                .set_delivery_stream_name(name)
                .set_delivery_stream_type(
                    requests::text(input, "DeliveryStreamType").map(|kind| kind.as_str().into())
                )
                .set_extended_s3_destination_configuration(requests::extended_s3(input))
                .set_s3_destination_configuration(requests::s3(input))
                .set_tags(requests::tags(input)),
            answers::created
        ),
        "DeleteDeliveryStream" => send!(
            client.delete_delivery_stream().set_delivery_stream_name(name),
            answers::empty
        ),
        "DescribeDeliveryStream" => send!(
            client.describe_delivery_stream().set_delivery_stream_name(name),
            answers::described
        ),
        "ListDeliveryStreams" => send!(
            client
                .list_delivery_streams()
                .set_limit(requests::number(input, "Limit"))
                .set_delivery_stream_type(
                    requests::text(input, "DeliveryStreamType").map(|kind| kind.as_str().into())
                )
                .set_exclusive_start_delivery_stream_name(requests::text(
                    input,
                    "ExclusiveStartDeliveryStreamName"
                )),
            answers::listed
        ),
        "ListTagsForDeliveryStream" => send!(
            client
                .list_tags_for_delivery_stream()
                .set_delivery_stream_name(name)
                .set_limit(requests::number(input, "Limit"))
                .set_exclusive_start_tag_key(requests::text(input, "ExclusiveStartTagKey")),
            answers::tags
        ),
        "PutRecord" => send!(
            client
                .put_record()
                .set_delivery_stream_name(name)
                .record(requests::record(&input["Record"])),
            answers::put
        ),
        "PutRecordBatch" => send!(
            client
                .put_record_batch()
                .set_delivery_stream_name(name)
                .set_records(Some(requests::records(input))),
            answers::put_batch
        ),
        "StartDeliveryStreamEncryption" => send!(
            client.start_delivery_stream_encryption().set_delivery_stream_name(name),
            answers::empty
        ),
        "StopDeliveryStreamEncryption" => send!(
            client.stop_delivery_stream_encryption().set_delivery_stream_name(name),
            answers::empty
        ),
        "TagDeliveryStream" => send!(
            client
                .tag_delivery_stream()
                .set_delivery_stream_name(name)
                .set_tags(requests::tags(input)),
            answers::empty
        ),
        "UntagDeliveryStream" => send!(
            client
                .untag_delivery_stream()
                .set_delivery_stream_name(name)
                .set_tag_keys(requests::tag_keys(input)),
            answers::empty
        ),
        "UpdateDestination" => send!(
            client
                .update_destination()
                .set_delivery_stream_name(name)
                .set_current_delivery_stream_version_id(requests::text(
                    input,
                    "CurrentDeliveryStreamVersionId"
                ))
                .set_destination_id(requests::text(input, "DestinationId"))
                .set_extended_s3_destination_update(requests::extended_s3_update(input)),
            answers::empty
        ),
        other => panic!("unknown operation {other}"),
    }
}
