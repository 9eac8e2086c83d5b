package tenure;

import static tenure.Checks.*;

import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.*;

/** Apache Kafka's own Java client, with its defaults, against a running cluster. */
public final class ClientTest {
  static void run(String bootstrap) throws Exception {
    Map<String, Object> common = Map.of("bootstrap.servers", bootstrap);
    try (Admin admin = Admin.create(common)) {
      check("the admin client creates, describes, configures and grows a topic", () -> {
        admin.createTopics(List.of(new NewTopic("java", 3, (short) 3).configs(Map.of("retention.ms", "3600000")))).all().get(30, TimeUnit.SECONDS);
        TopicDescription topic = admin.describeTopics(List.of("java")).allTopicNames().get().get("java");
        must(topic.partitions().size() == 3, "three partitions");
        must(topic.partitions().get(0).isr().size() == 3, "three in-sync replicas");
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, "java");
        admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry("max.message.bytes", "200000"), AlterConfigOp.OpType.SET)))).all().get();
        for (int i = 0; i < 50; i++) {
          ConfigEntry entry = admin.describeConfigs(List.of(resource)).all().get().get(resource).get("max.message.bytes");
          if (entry.value().equals("200000") && entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG) break;
          must(i < 49, "the change is seen");
          Thread.sleep(100);
        }
        admin.createPartitions(Map.of("java", NewPartitions.increaseTo(4))).all().get();
        must(admin.describeCluster().nodes().get().size() == 3, "three brokers");
        must(admin.describeCluster().controller().get() != null, "a controller");
      });
      for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
        check("an idempotent producer with acks=all writes " + codec, () -> {
          Map<String, Object> config = new HashMap<>(common);
          config.put("compression.type", codec);
          try (Producer<String, String> producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
              ProducerRecord<String, String> record = new ProducerRecord<>("java", null, 1700000000000L + i, "k" + i, codec + "-" + i);
              record.headers().add(new RecordHeader("h", codec.getBytes()));
              sent.add(producer.send(record));
            }
            for (Future<RecordMetadata> one : sent) must(one.get(30, TimeUnit.SECONDS).offset() >= 0, "an offset");
          }
        });
      }
      Map<String, Object> consumerConfig = new HashMap<>(common);
      consumerConfig.put("group.id", "java-group");
      consumerConfig.put("auto.offset.reset", "earliest");
      consumerConfig.put("enable.auto.commit", "false");
      check("a group reads everything with keys, headers and timestamps, commits and resumes", () -> {
        Set<String> seen = new HashSet<>();
        try (Consumer<String, String> consumer = new KafkaConsumer<>(consumerConfig, new StringDeserializer(), new StringDeserializer())) {
          consumer.subscribe(List.of("java"));
          long end = System.currentTimeMillis() + 30000;
          while (seen.size() < 1000 && System.currentTimeMillis() < end) {
            for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
              String codec = new String(record.headers().lastHeader("h").value());
              must(record.value().startsWith(codec), "the header belongs to the record");
              must(record.timestamp() >= 1700000000000L && record.timestamp() < 1700000000200L, "the timestamp is the producer's");
              must(seen.add(record.value()), "no record twice");
            }
          }
          must(seen.size() == 1000, "all records, not " + seen.size());
          consumer.commitSync();
        }
        try (Consumer<String, String> again = new KafkaConsumer<>(consumerConfig, new StringDeserializer(), new StringDeserializer())) {
          again.subscribe(List.of("java"));
          long end = System.currentTimeMillis() + 3000;
          int count = 0;
          while (System.currentTimeMillis() < end) count += again.poll(Duration.ofMillis(200)).count();
          must(count == 0, "nothing that was committed comes again");
        }
      });
      check("two members share the partitions, and one takes over when the other leaves", () -> {
        try (Consumer<String, String> one = new KafkaConsumer<>(consumerConfig, new StringDeserializer(), new StringDeserializer());
            Consumer<String, String> two = new KafkaConsumer<>(consumerConfig, new StringDeserializer(), new StringDeserializer())) {
          one.subscribe(List.of("java"));
          two.subscribe(List.of("java"));
          long end = System.currentTimeMillis() + 30000;
          while ((one.assignment().isEmpty() || two.assignment().isEmpty()) && System.currentTimeMillis() < end) {
            one.poll(Duration.ofMillis(100));
            two.poll(Duration.ofMillis(100));
          }
          must(one.assignment().size() == 2 && two.assignment().size() == 2, "two partitions each");
          two.close();
          while (one.assignment().size() < 4 && System.currentTimeMillis() < end) one.poll(Duration.ofMillis(100));
          must(one.assignment().size() == 4, "all partitions");
        }
      });
      check("offsets by time, group listing and group offsets", () -> {
        TopicPartition first = new TopicPartition("java", 0);
        ListOffsetsResult.ListOffsetsResultInfo latest = admin.listOffsets(Map.of(first, OffsetSpec.latest())).partitionResult(first).get();
        must(latest.offset() > 0, "an end");
        must(admin.listOffsets(Map.of(first, OffsetSpec.forTimestamp(1700000000100L))).partitionResult(first).get().offset() >= 0, "an offset by time");
        must(admin.listConsumerGroups().all().get().stream().anyMatch(group -> group.groupId().equals("java-group")), "the group is listed");
        must(admin.listConsumerGroupOffsets("java-group").partitionsToOffsetAndMetadata().get().size() == 4, "offsets of four partitions");
      });
      check("deleting the topic makes it unknown", () -> {
        admin.deleteTopics(List.of("java")).all().get(30, TimeUnit.SECONDS);
        must(!admin.listTopics().names().get().contains("java"), "gone");
      });
    }
  }
}
