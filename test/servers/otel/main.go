// OpenTelemetry's receivers for Firehose's HTTP protocol and for Splunk's HTTP event collector, with
// acknowledgements. What arrives is appended to a file before it is answered for: a JSON line for
// each log record, with the headers of the request that brought it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/ackextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/awsfirehosereceiver"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/splunkhecreceiver"
	"go.opentelemetry.io/collector/client"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

var reported = []string{
	"X-Amz-Firehose-Request-Id", "X-Amz-Firehose-Source-Arn", "X-Amz-Firehose-Protocol-Version",
	"X-Splunk-Request-Channel", "Authorization", "Content-Encoding",
}

type arrival struct {
	// In JSON, base64.
	Data       []byte            `json:"data"`
	Attributes map[string]any    `json:"attributes"`
	Headers    map[string]string `json:"headers"`
}

type arrivals struct {
	mutex   sync.Mutex
	encoder *json.Encoder
}

func (all *arrivals) write(ctx context.Context, logs plog.Logs) error {
	all.mutex.Lock()
	defer all.mutex.Unlock()
	headers := map[string]string{}
	for _, name := range reported {
		if values := client.FromContext(ctx).Metadata.Get(name); len(values) > 0 {
			headers[name] = values[0]
		}
	}
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				data := []byte(record.Body().AsString())
				if record.Body().Type() == pcommon.ValueTypeBytes {
					// Of nothing, too, and not nil.
					data = append([]byte{}, record.Body().Bytes().AsRaw()...)
				}
				line := arrival{data, resource.Resource().Attributes().AsRaw(), headers}
				if err := all.encoder.Encode(line); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// asItIs is the encoding of a record that is a log record: its bytes are the body.
type asItIs struct {
	component.StartFunc
	component.ShutdownFunc
}

func (asItIs) UnmarshalLogs(data []byte) (plog.Logs, error) {
	logs := plog.NewLogs()
	record := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.Body().SetEmptyBytes().FromRaw(data)
	return logs, nil
}

type host map[component.ID]component.Component

func (extensions host) GetExtensions() map[component.ID]component.Component { return extensions }

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func start(factory receiver.Factory, settings map[string]any, extensions host, into consumer.Logs) {
	config := factory.CreateDefaultConfig()
	settings["include_metadata"] = true
	settings["max_request_body_size"] = 128 << 20
	if err := confmap.NewFromStringMap(settings).Unmarshal(config); err != nil {
		panic(err)
	}
	running := must(factory.CreateLogs(
		context.Background(), receivertest.NewNopSettings(factory.Type()), config, into))
	if err := running.Start(context.Background(), extensions); err != nil {
		panic(err)
	}
}

func main() {
	firehose := flag.String("firehose", "", "host:port of the Firehose receiver")
	accessKey := flag.String("access-key", "", "what the Firehose receiver asks for")
	hec := flag.String("hec", "", "host:port of the HEC receiver")
	path := flag.String("arrivals", "", "file to append to")
	flag.Parse()

	file := must(os.OpenFile(*path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600))
	all := &arrivals{encoder: json.NewEncoder(file)}
	into := must(consumer.NewLogs(all.write))
	recordID, ackID := component.MustNewID("as_it_is"), component.MustNewID("ack")
	acks := ackextension.NewFactory()
	extensions := host{
		recordID: asItIs{},
		ackID: must(acks.Create(context.Background(), extension.Settings{
			ID: ackID, TelemetrySettings: componenttest.NewNopTelemetrySettings(),
		}, acks.CreateDefaultConfig())),
	}
	start(awsfirehosereceiver.NewFactory(), map[string]any{
		"endpoint": *firehose, "access_key": *accessKey, "encoding": recordID.String(),
	}, extensions, into)
	start(splunkhecreceiver.NewFactory(), map[string]any{
		"endpoint": *hec, "access_token_passthrough": true,
		"ack": map[string]any{"extension": ackID.String()},
	}, extensions, into)

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
}
