import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.SdkField;
import software.amazon.awssdk.core.SdkPojo;
import software.amazon.awssdk.core.protocol.MarshallingType;
import software.amazon.awssdk.core.traits.ListTrait;
import software.amazon.awssdk.protocols.jsoncore.JsonNode;
import software.amazon.awssdk.protocols.jsoncore.JsonWriter;
import software.amazon.awssdk.services.firehose.FirehoseClient;
import software.amazon.awssdk.services.firehose.model.FirehoseRequest;
import software.amazon.awssdk.utils.builder.Buildable;

/**
 * Calls Firehose through the AWS SDK for Java 2: one JSON request a line on stdin, one JSON outcome a
 * line on stdout. Requests are filled and answers read by the SDK's own description of its fields.
 */
public final class Caller {
  private static final String MODEL = "software.amazon.awssdk.services.firehose.model.";

  public static void main(String[] args) throws Exception {
    var reader = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var out = new java.io.PrintStream(System.out, true, StandardCharsets.UTF_8);
    try (var client = FirehoseClient.create()) {
      for (String line; (line = reader.readLine()) != null; ) {
        var request = JsonNode.parser().parse(line).asObject();
        out.println(json(outcome(client, request.get("operation").asString(), request.get("input"))));
      }
    }
  }

  private static Map<String, Object> outcome(FirehoseClient client, String operation, JsonNode input)
      throws Exception {
    var type = Class.forName(MODEL + operation + "Request");
    var builder = (SdkPojo) type.getMethod("builder").invoke(null);
    fill(builder, input);
    var method = operation.substring(0, 1).toLowerCase() + operation.substring(1);
    try {
      var request = ((Buildable) builder).build();
      var answer = FirehoseClient.class.getMethod(method, type).invoke(client, request);
      return Map.of("output", plain(answer));
    } catch (InvocationTargetException failure) {
      if (!(failure.getCause() instanceof AwsServiceException error)) throw failure;
      var details = error.awsErrorDetails();
      return Map.of("errorType", details.errorCode(), "message", details.errorMessage());
    }
  }

  private static void fill(SdkPojo builder, JsonNode input) {
    var known = new java.util.HashSet<String>();
    for (SdkField<?> field : builder.sdkFields()) {
      known.add(field.locationName());
      var node = input.field(field.locationName());
      node.ifPresent(value -> field.set(builder, value(field, value)));
    }
    input.asObject().keySet().forEach(name -> {
      if (!known.contains(name)) throw new IllegalArgumentException("Unknown member " + name);
    });
  }

  private static Object value(SdkField<?> field, JsonNode node) {
    var type = field.marshallingType();
    if (type == MarshallingType.STRING) return node.asString();
    if (type == MarshallingType.INTEGER) return Integer.valueOf(node.asNumber());
    if (type == MarshallingType.DOUBLE) return Double.valueOf(node.asNumber());
    if (type == MarshallingType.BOOLEAN) return node.asBoolean();
    if (type == MarshallingType.SDK_BYTES) {
      return SdkBytes.fromByteArray(Base64.getDecoder().decode(node.asString()));
    }
    if (type == MarshallingType.LIST) {
      var member = field.getTrait(ListTrait.class).memberFieldInfo();
      var items = new ArrayList<Object>();
      node.asArray().forEach(item -> items.add(value(member, item)));
      return items;
    }
    var nested = field.constructor().get();
    fill(nested, node);
    return ((Buildable) nested).build();
  }

  private static Object plain(Object value) {
    if (value instanceof SdkPojo pojo) {
      var members = new LinkedHashMap<String, Object>();
      for (SdkField<?> field : pojo.sdkFields()) {
        var member = field.getValueOrDefault(pojo);
        if (member == null || member instanceof software.amazon.awssdk.core.util.SdkAutoConstructList) {
          continue;
        }
        members.put(field.locationName(), plain(member));
      }
      return members;
    }
    if (value instanceof List<?> list) return list.stream().map(Caller::plain).toList();
    if (value instanceof Instant instant) return instant.toString();
    return value;
  }

  private static String json(Object value) {
    var writer = JsonWriter.create();
    write(writer, value);
    return new String(writer.getBytes(), StandardCharsets.UTF_8);
  }

  private static void write(JsonWriter writer, Object value) {
    if (value instanceof Map<?, ?> map) {
      writer.writeStartObject();
      map.forEach((name, member) -> {
        writer.writeFieldName((String) name);
        write(writer, member);
      });
      writer.writeEndObject();
    } else if (value instanceof List<?> list) {
      writer.writeStartArray();
      list.forEach(item -> write(writer, item));
      writer.writeEndArray();
    } else if (value instanceof Boolean flag) {
      writer.writeValue(flag);
    } else if (value instanceof Integer number) {
      writer.writeValue(number);
    } else {
      writer.writeValue(String.valueOf(value));
    }
  }
}
