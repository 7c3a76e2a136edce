"""Calls Firehose through boto3: one JSON request a line on stdin, one JSON outcome a line on stdout."""

import json
import sys

import boto3
from botocore.exceptions import ClientError


def with_bytes(value):
    if isinstance(value, list):
        return [with_bytes(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: item.encode() if name == "Data" and isinstance(item, str) else with_bytes(item)
        for name, item in value.items()
    }


def call(client, operation, arguments):
    try:
        method = client.meta.method_to_api_mapping
        names = {api: name for name, api in method.items()}
        output = getattr(client, names[operation])(**with_bytes(arguments))
        output.pop("ResponseMetadata")
        return {"output": output}
    except ClientError as error:
        detail = error.response["Error"]
        return {"errorType": detail["Code"], "message": detail["Message"]}


def main():
    client = boto3.client("firehose")
    for line in sys.stdin:
        request = json.loads(line)
        outcome = call(client, request["operation"], request["input"])
        print(json.dumps(outcome, default=str), flush=True)


main()
