// Calls Firehose through aws-sdk-go-v2: one JSON request a line on stdin, one JSON outcome a line on
// stdout. The SDK's structs have the API's own member names, so JSON maps onto them as it is.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/smithy-go"
)

type request struct {
	Operation string          `json:"operation"`
	Input     json.RawMessage `json:"input"`
}

type outcome struct {
	Output    any    `json:"output,omitempty"`
	ErrorType string `json:"errorType,omitempty"`
	Message   string `json:"message,omitempty"`
}

type operation func(input json.RawMessage) (any, error)

func of[Input, Output any](
	call func(context.Context, *Input, ...func(*firehose.Options)) (*Output, error),
) operation {
	return func(raw json.RawMessage) (any, error) {
		var input Input
		if err := json.Unmarshal(raw, &input); err != nil {
			return nil, err
		}
		return call(context.Background(), &input)
	}
}

func operations(client *firehose.Client) map[string]operation {
	return map[string]operation{
		"CreateDeliveryStream":          of(client.CreateDeliveryStream),
		"DeleteDeliveryStream":          of(client.DeleteDeliveryStream),
		"DescribeDeliveryStream":        of(client.DescribeDeliveryStream),
		"ListDeliveryStreams":           of(client.ListDeliveryStreams),
		"ListTagsForDeliveryStream":     of(client.ListTagsForDeliveryStream),
		"PutRecord":                     of(client.PutRecord),
		"PutRecordBatch":                of(client.PutRecordBatch),
		"StartDeliveryStreamEncryption": of(client.StartDeliveryStreamEncryption),
		"StopDeliveryStreamEncryption":  of(client.StopDeliveryStreamEncryption),
		"TagDeliveryStream":             of(client.TagDeliveryStream),
		"UntagDeliveryStream":           of(client.UntagDeliveryStream),
		"UpdateDestination":             of(client.UpdateDestination),
	}
}

func run(call operation, input json.RawMessage) outcome {
	output, err := call(input)
	var apiError smithy.APIError
	if errors.As(err, &apiError) {
		return outcome{ErrorType: apiError.ErrorCode(), Message: apiError.ErrorMessage()}
	}
	if err != nil {
		return outcome{ErrorType: "ClientError", Message: err.Error()}
	}
	return outcome{Output: output}
}

func main() {
	settings, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(err)
	}
	calls := operations(firehose.NewFromConfig(settings))
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var next request
		if err := json.Unmarshal(lines.Bytes(), &next); err != nil {
			panic(err)
		}
		line, err := json.Marshal(run(calls[next.Operation], next.Input))
		if err != nil {
			panic(err)
		}
		fmt.Println(string(line))
	}
}
