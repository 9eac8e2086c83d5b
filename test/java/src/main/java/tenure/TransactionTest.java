package tenure;

import static tenure.Checks.*;

import java.time.Duration;
import java.util.*;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.serialization.*;

/** Transactions as Java programs use them (KIP-98, 447, 890). */
final class TransactionTest {
  private TransactionTest() {}

  private static KafkaProducer<String, String> producer(String bootstrap, String id, int timeoutMs) {
    KafkaProducer<String, String> producer = new KafkaProducer<>(
        Map.of("bootstrap.servers", bootstrap, "transactional.id", id, "transaction.timeout.ms", timeoutMs),
        new StringSerializer(), new StringSerializer());
    producer.initTransactions();
    return producer;
  }

  private static KafkaConsumer<String, String> consumer(String bootstrap, String group, String isolation) {
    return new KafkaConsumer<>(
        Map.of("bootstrap.servers", bootstrap, "group.id", group, "isolation.level", isolation,
            "auto.offset.reset", "earliest", "enable.auto.commit", "false"),
        new StringDeserializer(), new StringDeserializer());
  }

  /** Everything in a topic that a reader of that isolation may see now. */
  private static List<String> all(String bootstrap, String topic, String isolation) {
    try (KafkaConsumer<String, String> consumer = consumer(bootstrap, "none", isolation)) {
      List<TopicPartition> partitions = consumer.partitionsFor(topic).stream().map(p -> new TopicPartition(topic, p.partition())).toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      List<String> values = new ArrayList<>();
      while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) values.add(record.value());
      }
      return values;
    }
  }

  static void run(String bootstrap) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      admin.createTopics(List.of(
          new NewTopic("txn-in", 2, (short) 3), new NewTopic("txn-out", 2, (short) 3),
          new NewTopic("txn-late", 1, (short) 3), new NewTopic("txn-hang", 1, (short) 3))).all().get(30, TimeUnit.SECONDS);

      check("a reader of committed records sees committed transactions, whole, and no aborted ones", () -> {
        try (KafkaProducer<String, String> producer = producer(bootstrap, "commits", 60_000)) {
          for (int round = 0; round < 20; round++) {
            producer.beginTransaction();
            for (int i = 0; i < 50; i++) producer.send(new ProducerRecord<>("txn-in", i % 2, "k" + i, round + ":" + i));
            if (round % 4 == 3) { producer.flush(); producer.abortTransaction(); } else producer.commitTransaction();
          }
          List<String> committed = all(bootstrap, "txn-in", "read_committed");
          must(committed.size() == 15 * 50, "750 committed records, not " + committed.size());
          must(committed.stream().noneMatch(value -> Integer.parseInt(value.split(":")[0]) % 4 == 3), "none of an aborted round");
          must(new HashSet<>(committed).size() == committed.size(), "each once");
          must(all(bootstrap, "txn-in", "read_uncommitted").size() == 20 * 50, "all 1000 for others");
          producer.beginTransaction();
          producer.send(new ProducerRecord<>("txn-in", 0, "open", "21:0")).get();
          must(all(bootstrap, "txn-in", "read_committed").size() == 750, "an open transaction is not seen");
          TopicPartition first = new TopicPartition("txn-in", 0);
          long stable = admin.listOffsets(Map.of(first, OffsetSpec.latest()), new ListOffsetsOptions(org.apache.kafka.common.IsolationLevel.READ_COMMITTED)).partitionResult(first).get().offset();
          long high = admin.listOffsets(Map.of(first, OffsetSpec.latest())).partitionResult(first).get().offset();
          must(stable == high - 1, "the last stable offset stays before the open transaction");
          producer.abortTransaction();
        }
      });

      check("consume, transform, produce: every input has exactly one output, through aborts and a rebalance", () -> {
        Map<String, Integer> outputs = new TreeMap<>();
        for (int turn = 0; turn < 2; turn++) {
          try (KafkaProducer<String, String> producer = producer(bootstrap, "transform", 60_000);
               KafkaConsumer<String, String> consumer = consumer(bootstrap, "transform", "read_committed")) {
            consumer.subscribe(List.of("txn-in"));
            int empty = 0;
            for (int round = 0; empty < (turn == 0 ? 1000 : 10) && (turn == 1 || round < 12); round++) {
              ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(300));
              if (records.isEmpty()) { empty++; round--; continue; }
              empty = 0;
              producer.beginTransaction();
              int count = 0;
              Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
              for (ConsumerRecord<String, String> record : records) {
                producer.send(new ProducerRecord<>("txn-out", record.key(), record.value()));
                offsets.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
                if (++count == 40) break;
              }
              producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
              if (round % 3 == 1) producer.abortTransaction(); else producer.commitTransaction();
              for (TopicPartition partition : consumer.assignment()) {
                OffsetAndMetadata known = consumer.committed(Set.of(partition)).get(partition);
                consumer.seek(partition, known == null ? 0 : known.offset());
              }
            }
          }
        }
        for (String value : all(bootstrap, "txn-out", "read_committed")) outputs.merge(value, 1, Integer::sum);
        must(outputs.size() == 750, "750 outputs, not " + outputs.size());
        must(outputs.values().stream().allMatch(count -> count == 1), "each once");
      });

      check("a second producer of an id fences the first and aborts what it left open", () -> {
        try (KafkaProducer<String, String> first = producer(bootstrap, "fence", 60_000)) {
          first.beginTransaction();
          first.send(new ProducerRecord<>("txn-late", "a", "zombie")).get();
          try (KafkaProducer<String, String> second = producer(bootstrap, "fence", 60_000)) {
            second.beginTransaction();
            second.send(new ProducerRecord<>("txn-late", "a", "alive"));
            second.commitTransaction();
          }
          try {
            first.send(new ProducerRecord<>("txn-late", "a", "zombie again"));
            first.commitTransaction();
            must(false, "the first one must be fenced");
          } catch (KafkaException expected) {
            must(expected instanceof ProducerFencedException || expected instanceof InvalidProducerEpochException, "fenced: " + expected);
          }
        }
        must(all(bootstrap, "txn-late", "read_committed").equals(List.of("alive")), "only the living one's record");
      });

      check("a transaction that takes too long is aborted by the coordinator", () -> {
        try (KafkaProducer<String, String> slow = producer(bootstrap, "slow", 1_000)) {
          slow.beginTransaction();
          slow.send(new ProducerRecord<>("txn-late", "b", "late")).get();
          eventually("the coordinator aborts it", () ->
              admin.describeTransactions(List.of("slow")).description("slow").get().state() == TransactionState.COMPLETE_ABORT);
          try {
            slow.commitTransaction();
            must(false, "the commit must fail");
          } catch (KafkaException expected) {
            // Which one depends on what the producer learns first.
          }
        }
        must(all(bootstrap, "txn-late", "read_committed").equals(List.of("alive")), "nothing of it is seen");
      });

      check("an administrator lists, describes, fences and aborts", () -> {
        try (KafkaProducer<String, String> hanging = producer(bootstrap, "hang", 600_000)) {
          hanging.beginTransaction();
          hanging.send(new ProducerRecord<>("txn-hang", "c", "hangs")).get();
          Collection<TransactionListing> open = admin.listTransactions(new ListTransactionsOptions().filterStates(Set.of(TransactionState.ONGOING))).all().get();
          must(open.stream().anyMatch(one -> one.transactionalId().equals("hang")), "it is listed as ongoing");
          must(admin.listTransactions(new ListTransactionsOptions().filterOnTransactionalIdPattern("h.n.*")).all().get().size() == 1, "by pattern");
          TransactionDescription description = admin.describeTransactions(List.of("hang")).description("hang").get();
          must(description.topicPartitions().contains(new TopicPartition("txn-hang", 0)), "it names its partition");
          TopicPartition partition = new TopicPartition("txn-hang", 0);
          ProducerState state = admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers().get(0);
          must(state.currentTransactionStartOffset().isPresent(), "the partition shows it as open");
          admin.abortTransaction(new AbortTransactionSpec(partition, state.producerId(), (short) state.producerEpoch(), state.coordinatorEpoch().orElse(0))).all().get();
          must(admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers().get(0).currentTransactionStartOffset().isEmpty(), "closed in the partition");
          admin.fenceProducers(List.of("hang")).all().get();
          try {
            hanging.commitTransaction();
            must(false, "a fenced producer cannot commit");
          } catch (KafkaException expected) {
            // As it should be.
          }
        }
      });

      check("offsets of topics without a subscriber can be deleted one by one", () -> {
        admin.deleteConsumerGroupOffsets("transform", Set.of(new TopicPartition("txn-in", 0))).all().get();
        Map<TopicPartition, OffsetAndMetadata> left = admin.listConsumerGroupOffsets("transform").partitionsToOffsetAndMetadata().get();
        must(left.size() == 1 && left.containsKey(new TopicPartition("txn-in", 1)), "one is left, not " + left);
      });
    }
  }
}
