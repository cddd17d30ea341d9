package pinterest.lab;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.config.Config;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigDef.Importance;
import org.apache.kafka.common.config.ConfigDef.Range;
import org.apache.kafka.common.config.ConfigDef.Type;
import org.apache.kafka.common.config.ConfigDef.ValidString;
import org.apache.kafka.common.config.ConfigValue;
import org.apache.kafka.connect.connector.Task;
import org.apache.kafka.connect.sink.SinkConnector;

/**
 * Writes Kafka topics to S3 as JSON lines, with the properties and object names of Confluent's S3 sink.
 *
 * <p>It supports those of Confluent's properties that are defined below. A value it does not support is rejected; an
 * unknown property is ignored, as Connect does. Known differences: only JSON, the default partitioner and no
 * compression; an object ends at {@code s3.part.size} bytes, where Confluent's sink starts another part; without keys
 * in the configuration, the AWS SDK's default chain provides them.
 */
public class S3SinkConnector extends SinkConnector {
  static final String VERSION = "1.0";
  static final String BUCKET = "s3.bucket.name";
  static final String REGION = "s3.region";
  static final String ENDPOINT = "store.url";
  static final String TOPICS_DIR = "topics.dir";
  static final String FLUSH_SIZE = "flush.size";
  static final String ROTATE_MS = "rotate.schedule.interval.ms";
  static final String TIMEZONE = "timezone";
  static final String PART_SIZE = "s3.part.size";
  static final String NULL_VALUES = "behavior.on.null.values";
  static final String KEY_ID = "aws.access.key.id";
  static final String SECRET_KEY = "aws.secret.access.key";

  static final ConfigDef CONFIG =
      new ConfigDef()
          .define(BUCKET, Type.STRING, Importance.HIGH, "The bucket; it must exist.")
          .define(REGION, Type.STRING, "us-west-2", Importance.MEDIUM, "The bucket's region.")
          .define(ENDPOINT, Type.STRING, null, Importance.LOW, "S3's endpoint, if it is not AWS's own.")
          .define(TOPICS_DIR, Type.STRING, "topics", Importance.HIGH, "First folder of every object's name.")
          .define(FLUSH_SIZE, Type.INT, ConfigDef.NO_DEFAULT_VALUE, Range.atLeast(1), Importance.HIGH,
              "An object is written when it holds this many records.")
          .define(ROTATE_MS, Type.LONG, -1L, Importance.MEDIUM,
              "An object is written this many milliseconds after its first record, however small. -1: never.")
          .define(TIMEZONE, Type.STRING, "", Importance.MEDIUM, "Confluent's sink requires it with " + ROTATE_MS + ".")
          .define(PART_SIZE, Type.INT, 26214400, Range.atLeast(1), Importance.LOW,
              "An object is written when it holds this many bytes.")
          .define(NULL_VALUES, Type.STRING, "fail", ValidString.in("fail", "ignore"), Importance.LOW,
              "What to do with a record without a value.")
          .define("format.class", Type.STRING, "io.confluent.connect.s3.format.json.JsonFormat",
              ValidString.in("io.confluent.connect.s3.format.json.JsonFormat"), Importance.HIGH, "JSON lines.")
          .define("storage.class", Type.STRING, "io.confluent.connect.s3.storage.S3Storage",
              ValidString.in("io.confluent.connect.s3.storage.S3Storage"), Importance.HIGH, "S3.")
          .define("partitioner.class", Type.STRING,
              "io.confluent.connect.storage.partitioner.DefaultPartitioner",
              ValidString.in("io.confluent.connect.storage.partitioner.DefaultPartitioner"), Importance.HIGH,
              "One folder per Kafka partition.")
          .define("s3.compression.type", Type.STRING, "none", ValidString.in("none"), Importance.LOW, "None.")
          .define(KEY_ID, Type.STRING, null, Importance.LOW, "Replaces the SDK's default chain.")
          .define(SECRET_KEY, Type.PASSWORD, null, Importance.LOW, "Replaces the SDK's default chain.");

  private Map<String, String> properties;

  @Override
  public String version() {
    return VERSION;
  }

  @Override
  public ConfigDef config() {
    return CONFIG;
  }

  @Override
  public Config validate(Map<String, String> given) {
    Config config = super.validate(given);
    boolean rotates = !given.getOrDefault(ROTATE_MS, "-1").equals("-1");
    if (rotates && given.getOrDefault(TIMEZONE, "").isBlank()) {
      for (ConfigValue value : config.configValues()) {
        if (value.name().equals(TIMEZONE)) {
          value.addErrorMessage(TIMEZONE + " must be set (for example UTC) if " + ROTATE_MS + " is");
        }
      }
    }
    return config;
  }

  @Override
  public void start(Map<String, String> given) {
    properties = given;
  }

  @Override
  public Class<? extends Task> taskClass() {
    return S3SinkTask.class;
  }

  @Override
  public List<Map<String, String>> taskConfigs(int maxTasks) {
    return Collections.nCopies(maxTasks, properties);
  }

  @Override
  public void stop() {}
}
