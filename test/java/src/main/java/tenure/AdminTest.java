package tenure;

import static tenure.Checks.*;

import java.time.Duration;
import java.util.*;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

/** What administrators and their tools ask for beyond topics and groups. */
final class AdminTest {
  private AdminTest() {}

  private static <E extends Throwable> E fails(Class<E> type, Check check) throws Exception {
    try {
      check.run();
    } catch (ExecutionException cause) {
      must(type.isInstance(cause.getCause()), "a " + type.getSimpleName() + ", not " + cause.getCause());
      return type.cast(cause.getCause());
    }
    throw new AssertionError("must fail with " + type.getSimpleName());
  }

  private static KafkaProducer<String, String> producer(String bootstrap, Map<String, Object> more) {
    Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap));
    config.putAll(more);
    return new KafkaProducer<>(config, new StringSerializer(), new StringSerializer());
  }

  private static Map<String, String> latest(String bootstrap, String topic) {
    Map<String, String> values = new TreeMap<>();
    try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(Map.of("bootstrap.servers", bootstrap), new StringDeserializer(), new StringDeserializer())) {
      List<TopicPartition> partitions = consumer.partitionsFor(topic).stream().map(p -> new TopicPartition(topic, p.partition())).toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p)))
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
          if (record.value() == null) values.remove(record.key());
          else values.put(record.key(), record.value());
        }
    }
    return values;
  }

  static void run(String bootstrap) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      TopicPartition partition = new TopicPartition("admin", 0);
      admin.createTopics(List.of(new NewTopic("admin", Map.of(0, List.of(0, 1), 1, List.of(1, 2))))).all().get(30, TimeUnit.SECONDS);
      try (KafkaProducer<String, String> producer = producer(bootstrap, Map.of())) {
        for (int i = 0; i < 100; i++) producer.send(new ProducerRecord<>("admin", 0, "k" + i, "v" + i));
        producer.flush();
      }

      check("records are deleted up to an offset, and never beyond what is committed", () -> {
        must(admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(40))).lowWatermarks().get(partition).get().lowWatermark() == 40, "begins at 40");
        must(admin.listOffsets(Map.of(partition, OffsetSpec.earliest())).partitionResult(partition).get().offset() == 40, "for readers too");
        fails(org.apache.kafka.common.errors.OffsetOutOfRangeException.class, () -> admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(101))).all().get());
        admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(-1))).all().get();
        must(admin.listOffsets(Map.of(partition, OffsetSpec.earliest())).partitionResult(partition).get().offset() == 100, "all gone");
      });

      check("log directories are shown with sizes and space", () -> {
        Map<Integer, Map<String, LogDirDescription>> all = admin.describeLogDirs(List.of(0, 1, 2)).allDescriptions().get();
        LogDirDescription one = all.get(0).values().iterator().next();
        must(one.totalBytes().getAsLong() > 0 && one.usableBytes().getAsLong() > 0, "space is known");
        must(one.replicaInfos().get(partition).size() > 0, "the replica has a size");
        must(!all.get(2).values().iterator().next().replicaInfos().containsKey(partition), "no replica where there is none");
      });

      check("a partition moves to other brokers, and its replicas can be more or fewer", () -> {
        admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(2, 1, 0))))).all().get();
        eventually("three replicas", () -> replicas(admin, partition).equals(List.of(2, 1, 0)) && isr(admin, partition) == 3);
        admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(2))))).all().get();
        eventually("one replica, which leads", () -> replicas(admin, partition).equals(List.of(2)) && leader(admin, partition) == 2);
        eventually("nothing moves", () -> admin.listPartitionReassignments().reassignments().get().isEmpty());
        fails(NoReassignmentInProgressException.class, () -> admin.alterPartitionReassignments(Map.of(partition, Optional.empty())).all().get());
        fails(InvalidReplicaAssignmentException.class, () -> admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(7))))).all().get());
        fails(InvalidReplicationFactorException.class, () -> admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(0, 1)))), new AlterPartitionReassignmentsOptions().allowReplicationFactorChange(false)).all().get());
        try (KafkaProducer<String, String> producer = producer(bootstrap, Map.of())) {
          must(producer.send(new ProducerRecord<>("admin", 0, "after", "move")).get(20, TimeUnit.SECONDS).offset() == 100, "offsets go on");
        }
      });

      check("leadership goes to the preferred replica on demand", () -> {
        admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(1, 2))))).all().get();
        eventually("both in sync", () -> isr(admin, partition) == 2 && replicas(admin, partition).size() == 2);
        if (leader(admin, partition) != 1) admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).all().get();
        eventually("broker 1 leads", () -> leader(admin, partition) == 1);
        Optional<Throwable> again = admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).partitions().get().get(partition);
        must(again.isPresent() && again.get() instanceof ElectionNotNeededException, "not needed again");
      });

      check("features, quorum and configuration resources are shown", () -> {
        Map<String, FinalizedVersionRange> features = admin.describeFeatures().featureMetadata().get().finalizedFeatures();
        must(features.get("metadata.version").maxVersionLevel() == 33, "metadata.version 33");
        must(features.get("transaction.version").maxVersionLevel() == 2, "transaction.version 2");
        QuorumInfo quorum = admin.describeMetadataQuorum().quorumInfo().get();
        must(quorum.leaderId() == admin.describeCluster().controller().get().id() && quorum.voters().size() == 3, "the controller leads");
        must(admin.listConfigResources().all().get().contains(new ConfigResource(ConfigResource.Type.TOPIC, "admin")), "topics are listed");
      });

      check("who makes topics faster than it may is told to wait", () -> {
        ClientQuotaEntity entity = new ClientQuotaEntity(Map.of(ClientQuotaEntity.CLIENT_ID, "eager"));
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(
            new ClientQuotaAlteration.Op("controller_mutation_rate", 1.0), new ClientQuotaAlteration.Op("request_percentage", 200.0))))).all().get();
        eventually("the quota is seen", () -> admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get().containsKey(entity));
        try (Admin eager = Admin.create(Map.of("bootstrap.servers", bootstrap, "client.id", "eager"))) {
          CreateTopicsOptions options = new CreateTopicsOptions().retryOnQuotaViolation(false);
          boolean[] throttled = {false};
          // Each broker counts for itself, and the client may ask any of them.
          for (int i = 0; i < 12 && !throttled[0]; i++) {
            try {
              eager.createTopics(List.of(new NewTopic("eager-" + i, 15, (short) 1)), options).all().get();
            } catch (java.util.concurrent.ExecutionException failure) {
              throttled[0] = failure.getCause() instanceof org.apache.kafka.common.errors.ThrottlingQuotaExceededException;
              must(throttled[0], "it is the quota: " + failure);
            }
          }
          must(throttled[0], "the quota is enforced");
        }
        admin.alterClientQuotas(List.of(new ClientQuotaAlteration(entity, List.of(
            new ClientQuotaAlteration.Op("controller_mutation_rate", null), new ClientQuotaAlteration.Op("request_percentage", null))))).all().get();
      });

      check("security that is not enabled says so", () -> {
        fails(SecurityDisabledException.class, () -> admin.describeAcls(AclBindingFilter.ANY).values().get());
        must(admin.describeUserScramCredentials().all().get().isEmpty(), "no users");
        fails(UnsupportedByAuthenticationException.class, () -> admin.describeDelegationToken().delegationTokens().get());
      });

      check("a compacted topic wants keys and keeps the latest of each", () -> {
        admin.createTopics(List.of(new NewTopic("compacted", 1, (short) 3).configs(Map.of("cleanup.policy", "compact", "segment.bytes", "1048576", "min.cleanable.dirty.ratio", "0.01", "segment.ms", "1000", "delete.retention.ms", "0")))).all().get(30, TimeUnit.SECONDS);
        try (KafkaProducer<String, String> producer = producer(bootstrap, Map.of("compression.type", "lz4", "batch.size", "4096"))) {
          fails(InvalidRecordException.class, () -> producer.send(new ProducerRecord<>("compacted", null, "no key")).get());
          byte[] noise = new byte[750];
          for (int i = 0; i < 6000; i++) {
            new Random(i).nextBytes(noise);
            producer.send(new ProducerRecord<>("compacted", "k" + i % 10, i + Base64.getEncoder().encodeToString(noise)));
          }
          for (int i = 0; i < 5; i++) producer.send(new ProducerRecord<>("compacted", "k" + i, null));
          producer.flush();
        }
        Map<String, String> before = latest(bootstrap, "compacted");
        must(before.size() == 5, "five keys are left");
        TopicPartition compacted = new TopicPartition("compacted", 0);
        long full = size(admin, compacted);
        eventually("old values are gone from the disk", () -> size(admin, compacted) < full / 2);
        must(latest(bootstrap, "compacted").equals(before), "the same is read");
        fails(PolicyViolationException.class, () -> admin.deleteRecords(Map.of(compacted, RecordsToDelete.beforeOffset(1))).all().get());
      });

      for (String codec : List.of("gzip", "snappy", "lz4", "zstd", "uncompressed")) {
        check("a topic that is stored in " + codec + " takes every codec", () -> {
          String topic = "stored-" + codec;
          admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1).configs(Map.of("compression.type", codec)))).all().get(30, TimeUnit.SECONDS);
          for (String sent : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            try (KafkaProducer<String, String> producer = producer(bootstrap, Map.of("compression.type", sent))) {
              for (int i = 0; i < 100; i++) producer.send(new ProducerRecord<>(topic, sent + i, "value ".repeat(50) + i));
            }
          }
          Map<String, String> read = latest(bootstrap, topic);
          must(read.size() == 500, "500 records, not " + read.size());
          must(read.get("zstd99").equals("value ".repeat(50) + 99), "as they were sent");
        });
      }
    }
  }

  private static org.apache.kafka.common.TopicPartitionInfo info(Admin admin, TopicPartition partition) throws Exception {
    return admin.describeTopics(List.of(partition.topic())).allTopicNames().get().get(partition.topic()).partitions().get(partition.partition());
  }

  private static long size(Admin admin, TopicPartition partition) throws Exception {
    int leader = leader(admin, partition);
    return admin.describeLogDirs(List.of(leader)).allDescriptions().get().get(leader).values().iterator().next().replicaInfos().get(partition).size();
  }

  private static List<Integer> replicas(Admin admin, TopicPartition partition) throws Exception {
    return info(admin, partition).replicas().stream().map(Node::id).toList();
  }

  private static int isr(Admin admin, TopicPartition partition) throws Exception {
    return info(admin, partition).isr().size();
  }

  private static int leader(Admin admin, TopicPartition partition) throws Exception {
    return info(admin, partition).leader().id();
  }
}
