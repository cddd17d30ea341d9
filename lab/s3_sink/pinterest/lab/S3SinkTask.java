package pinterest.lab;

import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.AbstractConfig;
import org.apache.kafka.connect.errors.ConnectException;
import org.apache.kafka.connect.errors.RetriableException;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.sink.SinkTask;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.checksums.RequestChecksumCalculation;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;

/**
 * Collects each partition's records in an open object and writes it to the bucket when it is full or old enough.
 *
 * <p>The offset committed to Kafka is the first one that is not in the bucket. After a crash, reading resumes there.
 * Since an object is named after its first offset, it is written again under the same name: nothing is lost, and a
 * record can be in two objects only if the worker died between writing an object and committing it (the second time,
 * the object may end elsewhere). After a failed write, Connect delivers the same batch again from its start; records
 * already taken are recognized by their offsets, so none is in an object twice.
 */
public class S3SinkTask extends SinkTask {
  private static final Logger log = LoggerFactory.getLogger(S3SinkTask.class);
  private static final long RETRY_MS = 2000;
  private static final Duration CALL_TIMEOUT = Duration.ofSeconds(30);

  /** The records since the last object written for the partition. */
  private static final class OpenObject {
    final long firstOffset;
    final long openedNanos = System.nanoTime();
    final ByteArrayOutputStream lines = new ByteArrayOutputStream();
    int records;

    OpenObject(long firstOffset) {
      this.firstOffset = firstOffset;
    }
  }

  private final Map<TopicPartition, OpenObject> objects = new HashMap<>();
  private final Map<TopicPartition, Long> nextOffsets = new HashMap<>();
  private final JsonConverter json = new JsonConverter();
  private AbstractConfig config;
  private S3Client s3;
  private String bucket;
  private int flushSize;
  private int partSize;
  private long rotateMs;

  @Override
  public String version() {
    return S3SinkConnector.VERSION;
  }

  @Override
  public void start(Map<String, String> properties) {
    config = new AbstractConfig(S3SinkConnector.CONFIG, properties);
    bucket = config.getString(S3SinkConnector.BUCKET);
    flushSize = config.getInt(S3SinkConnector.FLUSH_SIZE);
    partSize = config.getInt(S3SinkConnector.PART_SIZE);
    rotateMs = config.getLong(S3SinkConnector.ROTATE_MS);
    json.configure(Map.of("schemas.enable", "false"), false);
    s3 = client(credentials());
    try {
      s3.headBucket(request -> request.bucket(bucket));
    } catch (SdkException e) {
      if (isPermanent(e)) {
        throw new ConnectException("Bucket " + bucket + " cannot be used: " + e.getMessage(), e);
      }
      log.warn("Bucket {} cannot be reached now: {}", bucket, e.getMessage());
    }
  }

  private AwsCredentialsProvider credentials() {
    String keyId = config.getString(S3SinkConnector.KEY_ID);
    if (keyId != null) {
      String secretKey = config.getPassword(S3SinkConnector.SECRET_KEY).value();
      return StaticCredentialsProvider.create(AwsBasicCredentials.create(keyId, secretKey));
    }
    AwsCredentialsProvider chain = DefaultCredentialsProvider.builder().build();
    try {
      chain.resolveCredentials();
    } catch (SdkException e) {
      throw new ConnectException("The worker has no AWS credentials: " + e.getMessage(), e);
    }
    return chain;
  }

  private S3Client client(AwsCredentialsProvider credentials) {
    var builder =
        S3Client.builder()
            .region(Region.of(config.getString(S3SinkConnector.REGION)))
            .credentialsProvider(credentials)
            .httpClient(UrlConnectionHttpClient.create())
            .forcePathStyle(true)
            .overrideConfiguration(options -> options.apiCallTimeout(CALL_TIMEOUT))
            .requestChecksumCalculation(RequestChecksumCalculation.WHEN_REQUIRED);
    String endpoint = config.getString(S3SinkConnector.ENDPOINT);
    return (endpoint == null ? builder : builder.endpointOverride(URI.create(endpoint))).build();
  }

  @Override
  public void open(Collection<TopicPartition> partitions) {
    close(partitions);
  }

  @Override
  public void close(Collection<TopicPartition> partitions) {
    objects.keySet().removeAll(partitions);
    nextOffsets.keySet().removeAll(partitions);
  }

  /** Connect calls this at least every offset.flush.interval.ms, with an empty collection if nothing arrived. */
  @Override
  public void put(Collection<SinkRecord> records) {
    writeDue();
    for (SinkRecord record : records) {
      var partition = new TopicPartition(record.originalTopic(), record.originalKafkaPartition());
      long offset = record.originalKafkaOffset();
      if (offset < nextOffsets.getOrDefault(partition, 0L)) {
        continue;
      }
      take(partition, offset, record);
      OpenObject object = objects.get(partition);
      if (object != null && isDue(object)) {
        write(partition, object);
      }
    }
  }

  private void take(TopicPartition partition, long offset, SinkRecord record) {
    if (record.value() != null) {
      OpenObject object = objects.computeIfAbsent(partition, absent -> new OpenObject(offset));
      object.lines.writeBytes(json.fromConnectData(record.topic(), record.valueSchema(), record.value()));
      object.lines.write('\n');
      object.records++;
    } else if (config.getString(S3SinkConnector.NULL_VALUES).equals("fail")) {
      throw new ConnectException(
          partition + " offset " + offset + " has no value, and " + S3SinkConnector.NULL_VALUES + " is fail");
    }
    nextOffsets.put(partition, offset + 1);
  }

  private boolean isDue(OpenObject object) {
    long ageMs = (System.nanoTime() - object.openedNanos) / 1_000_000;
    return object.records >= flushSize || object.lines.size() >= partSize || (rotateMs > 0 && ageMs >= rotateMs);
  }

  private void writeDue() {
    for (Map.Entry<TopicPartition, OpenObject> entry : List.copyOf(objects.entrySet())) {
      if (isDue(entry.getValue())) {
        write(entry.getKey(), entry.getValue());
      }
    }
  }

  private void write(TopicPartition partition, OpenObject object) {
    String topic = partition.topic();
    int number = partition.partition();
    String key =
        String.format(
            Locale.ROOT, "%s/%s/partition=%d/%s+%d+%010d.json",
            config.getString(S3SinkConnector.TOPICS_DIR), topic, number, topic, number, object.firstOffset);
    try {
      s3.putObject(
          request -> request.bucket(bucket).key(key).contentType("application/json"),
          RequestBody.fromBytes(object.lines.toByteArray()));
    } catch (SdkException e) {
      String problem = "s3://" + bucket + "/" + key + " was not written: " + e.getMessage();
      if (isPermanent(e)) {
        throw new ConnectException(problem, e);
      }
      context.timeout(RETRY_MS);
      throw new RetriableException(problem, e);
    }
    objects.remove(partition);
    context.requestCommit();
  }

  /** Whether S3 rejected the request for good. No answer, S3's own faults and throttling are temporary. */
  private static boolean isPermanent(SdkException e) {
    return e instanceof AwsServiceException refusal
        && refusal.statusCode() >= 400
        && refusal.statusCode() < 500
        && refusal.statusCode() != 408
        && !refusal.isThrottlingException()
        && !"RequestTimeout".equals(refusal.awsErrorDetails() == null ? null : refusal.awsErrorDetails().errorCode());
  }

  /** Each partition's first offset that is not in the bucket: its open object's, or else the next one. */
  @Override
  public Map<TopicPartition, OffsetAndMetadata> preCommit(Map<TopicPartition, OffsetAndMetadata> consumed) {
    Map<TopicPartition, OffsetAndMetadata> written = new HashMap<>(consumed);
    objects.forEach(
        (partition, object) ->
            written.computeIfPresent(
                partition,
                (same, next) ->
                    next.offset() <= object.firstOffset ? next : new OffsetAndMetadata(object.firstOffset)));
    return written;
  }

  @Override
  public void stop() {
    if (s3 != null) {
      s3.close();
    }
  }
}
