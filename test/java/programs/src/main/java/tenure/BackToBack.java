package tenure;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;

/**
 * Transactions back to back, the next one begun while the markers of the last are still on their way,
 * each record in a request of its own and five of those in flight. Every transaction must commit and be
 * there as a whole and in order. Arguments: bootstrap servers, transactions, seconds at most, topic.
 */
public final class BackToBack {
  private static final int PARTITIONS = 3;
  private static final int RECORDS = 30;

  private BackToBack() {}

  public static void main(String[] args) throws Exception {
    int transactions = Integer.parseInt(args[1]);
    long duration = Long.parseLong(args[2]) * 1_000_000_000L;
    String topic = args[3];
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
      admin.createTopics(List.of(new NewTopic(topic, PARTITIONS, (short) 3))).all().get(60, TimeUnit.SECONDS);
    }
    List<Double> times = new ArrayList<>();
    AtomicReference<Exception> failure = new AtomicReference<>();
    Map<String, Object> config = Map.of("bootstrap.servers", args[0], "transactional.id", topic, "linger.ms", 0,
        "batch.size", 1, "max.in.flight.requests.per.connection", 5, "max.block.ms", 120_000);
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
      producer.initTransactions();
      // The first one waits for the topic of transactions.
      long end = Long.MAX_VALUE;
      for (int i = 0; i < transactions && (i == 0 || System.nanoTime() < end); i++) {
        long begun = System.nanoTime();
        producer.beginTransaction();
        for (int j = 0; j < RECORDS; j++) {
          byte[] value = (i + ":" + j).getBytes(StandardCharsets.UTF_8);
          producer.send(new ProducerRecord<>(topic, j % PARTITIONS, null, value), (sent, cause) -> {
            if (cause != null) failure.compareAndSet(null, cause);
          });
        }
        producer.commitTransaction();
        double ms = (System.nanoTime() - begun) / 1e6;
        if (ms > 2000) System.err.printf(Locale.ROOT, "transaction %d took %.0f ms%n", i, ms);
        times.add(ms);
        if (i == 0) end = System.nanoTime() + duration;
      }
    } catch (Exception cause) {
      failure.compareAndSet(null, cause);
    }
    if (failure.get() != null) fail("the producer ended after " + times.size() + " transactions: " + failure.get());
    int done = times.size();
    readBack(args[0], topic, done);
    // The first ones find everything cold.
    times.subList(0, Math.min(10, done - 1)).clear();
    Collections.sort(times);
    System.out.printf(Locale.ROOT, "{\"transactions\":%d,\"medianMs\":%.1f,\"p99Ms\":%.1f,\"worstMs\":%.1f}%n", done,
        times.get(times.size() / 2), times.get(times.size() * 99 / 100), times.get(times.size() - 1));
    System.exit(0);
  }

  private static void readBack(String bootstrap, String topic, int transactions) {
    Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "isolation.level", "read_committed", "enable.auto.commit", "false");
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      for (int p = 0; p < PARTITIONS; p++) {
        TopicPartition partition = new TopicPartition(topic, p);
        consumer.assign(List.of(partition));
        consumer.seekToBeginning(List.of(partition));
        List<String> found = new ArrayList<>();
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < transactions; i++) {
          for (int j = p; j < RECORDS; j += PARTITIONS) expected.add(i + ":" + j);
        }
        long end = System.nanoTime() + 30_000_000_000L;
        while (found.size() < expected.size() && System.nanoTime() < end) {
          for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) found.add(new String(record.value(), StandardCharsets.UTF_8));
        }
        if (!found.equals(expected)) fail("partition " + p + " holds " + found.size() + " records and should hold " + expected.size() + ", in order");
      }
    }
  }

  private static void fail(String why) {
    System.out.println("wrong: " + why);
    System.exit(1);
  }
}
