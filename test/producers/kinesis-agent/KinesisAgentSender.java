import com.amazonaws.AmazonServiceException;
import com.amazonaws.ClientConfiguration;
import com.amazonaws.auth.DefaultAWSCredentialsProviderChain;
import com.amazonaws.services.kinesisfirehose.AmazonKinesisFirehose;
import com.amazonaws.services.kinesisfirehose.AmazonKinesisFirehoseClient;
import com.amazonaws.services.kinesisfirehose.model.PutRecordBatchRequest;
import com.amazonaws.services.kinesisfirehose.model.Record;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * Sends to Firehose as the Kinesis Agent does: with the AWS SDK for Java 1, its client made from an
 * endpoint alone, with compressed answers allowed. One JSON request a line on stdin, one outcome a line
 * on stdout; the outcome names the records that the agent would keep and send again, which are those
 * with an error code that isn't null.
 */
public final class KinesisAgentSender {
  private static final ObjectMapper JSON = new ObjectMapper();
  /** Held, for what nobody holds forgets its level. */
  private static final Logger SDK_LOG = Logger.getLogger("com.amazonaws");

  public static void main(String[] args) throws Exception {
    // It complains of its age, and of a configuration file that is empty on purpose.
    System.setProperty("aws.java.v1.disableDeprecationAnnouncement", "true");
    SDK_LOG.setLevel(Level.OFF);
    var reader = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var client = client(System.getenv("AWS_ENDPOINT_URL_FIREHOSE"));
    for (String line; (line = reader.readLine()) != null; ) {
      var request = JSON.readTree(line);
      System.out.println(JSON.writeValueAsString(outcome(client, request.get("input"))));
    }
    client.shutdown();
  }

  @SuppressWarnings("deprecation") // The agent has no region either, and makes its client in this way.
  private static AmazonKinesisFirehose client(String endpoint) {
    var configuration = new ClientConfiguration();
    configuration.setUserAgent("aws-kinesis-agent/2.0 " + configuration.getUserAgent());
    configuration.setUseGzip(true);
    var client =
        new AmazonKinesisFirehoseClient(new DefaultAWSCredentialsProviderChain(), configuration);
    client.setEndpoint(endpoint);
    return client;
  }

  private static Map<String, ?> outcome(AmazonKinesisFirehose client, JsonNode input) {
    var records = new ArrayList<Record>();
    for (var line : input.get("Lines")) {
      var bytes = line.asText().getBytes(StandardCharsets.UTF_8);
      records.add(new Record().withData(ByteBuffer.wrap(bytes)));
    }
    var request =
        new PutRecordBatchRequest()
            .withDeliveryStreamName(input.get("DeliveryStreamName").asText())
            .withRecords(records);
    try {
      var answers = client.putRecordBatch(request).getRequestResponses();
      List<Integer> kept = new ArrayList<>();
      for (int index = 0; index < records.size(); index++) {
        if (answers.get(index).getErrorCode() != null) kept.add(index);
      }
      return Map.of("output", Map.of("Kept", kept));
    } catch (AmazonServiceException error) {
      return Map.of("errorType", error.getErrorCode(), "message", error.getErrorMessage());
    }
  }
}
