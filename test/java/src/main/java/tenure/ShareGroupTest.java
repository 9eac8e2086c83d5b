package tenure;

import static tenure.Checks.*;

import java.time.Duration;
import java.util.*;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;

/** Groups whose members share partitions, record by record (KIP-932). */
final class ShareGroupTest {
  private ShareGroupTest() {}

  private static KafkaShareConsumer<String, String> consumer(String bootstrap, String group, String mode) {
    return new KafkaShareConsumer<>(Map.of("bootstrap.servers", bootstrap, "group.id", group, "share.acknowledgement.mode", mode),
        new StringDeserializer(), new StringDeserializer());
  }

  private static void produce(String bootstrap, String topic, int from, int count) {
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(Map.of("bootstrap.servers", bootstrap), new StringSerializer(), new StringSerializer())) {
      for (int i = from; i < from + count; i++) producer.send(new ProducerRecord<>(topic, "k" + i, "v" + i));
      producer.flush();
    }
  }

  private static void configure(Admin admin, String group, String name, String value) throws Exception {
    ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
    admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET)))).all().get();
    eventually("the setting is seen", () -> admin.describeConfigs(List.of(resource)).all().get().get(resource).get(name).value().equals(value));
  }

  /** What groups may ask for is bounded by settings of the brokers. */
  private static void allow(Admin admin, String name, String value) throws Exception {
    ConfigResource all = new ConfigResource(ConfigResource.Type.BROKER, "");
    admin.incrementalAlterConfigs(Map.of(all, List.of(new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET)))).all().get();
    eventually("the bound is seen", () -> admin.describeConfigs(List.of(all)).all().get().get(all).get(name).value().equals(value));
  }

  static void run(String bootstrap) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      admin.createTopics(List.of(new NewTopic("share-a", 1, (short) 3), new NewTopic("share-b", 3, (short) 3), new NewTopic("share-c", 1, (short) 3))).all().get(30, TimeUnit.SECONDS);

      check("two members share one partition, each record goes to one of them", () -> {
        configure(admin, "share", "share.auto.offset.reset", "earliest");
        produce(bootstrap, "share-a", 0, 400);
        Map<String, Integer> seen = new TreeMap<>();
        try (KafkaShareConsumer<String, String> one = consumer(bootstrap, "share", "implicit");
             KafkaShareConsumer<String, String> two = consumer(bootstrap, "share", "implicit")) {
          one.subscribe(List.of("share-a"));
          two.subscribe(List.of("share-a"));
          int[] counts = new int[2];
          int[] batches = {0};
          eventually("all are read", () -> {
            for (ConsumerRecord<String, String> record : one.poll(Duration.ofMillis(200))) { seen.merge(record.value(), 1, Integer::sum); counts[0]++; }
            for (ConsumerRecord<String, String> record : two.poll(Duration.ofMillis(200))) { seen.merge(record.value(), 1, Integer::sum); counts[1]++; }
            if (batches[0] < 5) produce(bootstrap, "share-a", 400 + 20 * batches[0]++, 20);
            return seen.size() == 500;
          });
          must(seen.values().stream().allMatch(count -> count == 1), "each once");
          // What the last poll brought is acknowledged by the next one or by a commit.
          one.commitSync();
          two.commitSync();
          must(admin.describeShareGroups(List.of("share")).all().get().get("share").members().size() == 2, "two members");
        }
        must(admin.listGroups().all().get().stream().anyMatch(group -> group.groupId().equals("share") && group.type().get() == org.apache.kafka.common.GroupType.SHARE), "it is listed");
      });

      check("what was acknowledged does not come again, in a new life of the group's members", () -> {
        produce(bootstrap, "share-a", 1000, 5);
        Set<String> seen = new TreeSet<>();
        try (KafkaShareConsumer<String, String> one = consumer(bootstrap, "share", "implicit")) {
          one.subscribe(List.of("share-a"));
          eventually("the new ones", () -> {
            for (ConsumerRecord<String, String> record : one.poll(Duration.ofMillis(200))) seen.add(record.value());
            return seen.size() >= 5;
          });
          must(seen.equals(Set.of("v1000", "v1001", "v1002", "v1003", "v1004")), "only those: " + seen);
          one.commitSync();
        }
      });

      check("released records come again with a higher count, rejected ones do not", () -> {
        configure(admin, "share-explicit", "share.auto.offset.reset", "earliest");
        produce(bootstrap, "share-b", 0, 30);
        Map<String, Short> deliveries = new TreeMap<>();
        Set<String> accepted = new TreeSet<>();
        try (KafkaShareConsumer<String, String> one = consumer(bootstrap, "share-explicit", "explicit")) {
          one.subscribe(List.of("share-b"));
          eventually("20 are accepted", () -> {
            for (ConsumerRecord<String, String> record : one.poll(Duration.ofMillis(200))) {
              short count = record.deliveryCount().orElse((short) 0);
              int number = Integer.parseInt(record.value().substring(1));
              deliveries.merge(record.value(), count, (a, b) -> a > b ? a : b);
              if (number % 3 == 0) one.acknowledge(record, AcknowledgeType.REJECT);
              else if (number % 3 == 1 && count == 1) one.acknowledge(record, AcknowledgeType.RELEASE);
              else { one.acknowledge(record, AcknowledgeType.ACCEPT); accepted.add(record.value()); }
            }
            one.commitSync();
            return accepted.size() == 20;
          });
          must(deliveries.size() == 30, "30 were seen");
          for (Map.Entry<String, Short> entry : deliveries.entrySet())
            must(entry.getValue() == (Integer.parseInt(entry.getKey().substring(1)) % 3 == 1 ? 2 : 1), "deliveries of " + entry);
        }
      });

      check("records of a member that dies come to another one when their locks end", () -> {
        configure(admin, "share-locks", "share.auto.offset.reset", "earliest");
        allow(admin, "group.share.min.record.lock.duration.ms", "1000");
        configure(admin, "share-locks", "share.record.lock.duration.ms", "2000");
        produce(bootstrap, "share-c", 0, 30);
        KafkaShareConsumer<String, String> dead = consumer(bootstrap, "share-locks", "explicit");
        dead.subscribe(List.of("share-c"));
        Set<String> held = new TreeSet<>();
        eventually("it holds all", () -> {
          ConsumerRecords<String, String> records = held.isEmpty() ? dead.poll(Duration.ofMillis(300)) : ConsumerRecords.empty();
          for (ConsumerRecord<String, String> record : records) held.add(record.value());
          return !held.isEmpty();
        });
        Set<String> seen = new TreeSet<>();
        try (KafkaShareConsumer<String, String> other = consumer(bootstrap, "share-locks", "implicit")) {
          other.subscribe(List.of("share-c"));
          eventually("the other one gets all", () -> {
            for (ConsumerRecord<String, String> record : other.poll(Duration.ofMillis(200))) seen.add(record.value());
            return seen.size() == 30;
          });
        }
        dead.close(Duration.ofSeconds(1));
      });

      check("a group that reads what is committed never sees records of aborted transactions", () -> {
        admin.createTopics(List.of(new NewTopic("share-txn", 1, (short) 3))).all().get(30, TimeUnit.SECONDS);
        configure(admin, "share-committed", "share.auto.offset.reset", "earliest");
        configure(admin, "share-committed", "share.isolation.level", "read_committed");
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(
            Map.of("bootstrap.servers", bootstrap, "transactional.id", "share-txn"), new StringSerializer(), new StringSerializer())) {
          producer.initTransactions();
          for (int round = 0; round < 10; round++) {
            producer.beginTransaction();
            for (int i = 0; i < 5; i++) producer.send(new ProducerRecord<>("share-txn", (round % 2 == 0 ? "kept " : "aborted ") + round + " " + i));
            if (round % 2 == 0) producer.commitTransaction();
            else producer.abortTransaction();
          }
          producer.beginTransaction();
          producer.send(new ProducerRecord<>("share-txn", "open")).get();
          Set<String> seen = new TreeSet<>();
          try (KafkaShareConsumer<String, String> one = consumer(bootstrap, "share-committed", "implicit")) {
            one.subscribe(List.of("share-txn"));
            eventually("all that is committed", () -> {
              for (ConsumerRecord<String, String> record : one.poll(Duration.ofMillis(200))) seen.add(record.value());
              return seen.size() >= 25;
            });
            for (ConsumerRecord<String, String> record : one.poll(Duration.ofMillis(500))) seen.add(record.value());
            one.commitSync();
          }
          must(seen.size() == 25 && seen.stream().allMatch(value -> value.startsWith("kept")), "only committed records: " + seen);
          producer.abortTransaction();
        }
      });

      check("offsets of an empty share group are shown and moved, then the group is deleted", () -> {
        eventually("it is empty", () -> admin.describeShareGroups(List.of("share")).all().get().get("share").members().isEmpty());
        org.apache.kafka.common.TopicPartition partition = new org.apache.kafka.common.TopicPartition("share-a", 0);
        must(admin.listShareGroupOffsets(Map.of("share", new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo("share").get().get(partition).startOffset() == 505, "at the end");
        must(admin.listShareGroupOffsets(Map.of("share", new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo("share").get().get(partition).lag().orElse(-1L) == 0, "nothing is left to read");
        admin.alterShareGroupOffsets("share", Map.of(partition, 500L)).all().get();
        Set<String> seen = new TreeSet<>();
        try (KafkaShareConsumer<String, String> one = consumer(bootstrap, "share", "implicit")) {
          one.subscribe(List.of("share-a"));
          eventually("the last five again", () -> {
            for (ConsumerRecord<String, String> record : one.poll(Duration.ofMillis(200))) seen.add(record.value());
            return seen.size() >= 5;
          });
          one.commitSync();
        }
        must(seen.size() == 5, "five, not " + seen);
        eventually("it is empty again", () -> admin.describeShareGroups(List.of("share")).all().get().get("share").members().isEmpty());
        admin.deleteShareGroups(List.of("share")).all().get();
      });
    }
  }
}
