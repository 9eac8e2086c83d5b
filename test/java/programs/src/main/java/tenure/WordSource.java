package tenure;

import java.time.Duration;
import java.util.*;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;

/**
 * Writes lines with a known number of every word, slowly, then waits for the counts to be exactly
 * those, each reached through every number below it. Arguments: bootstrap servers, lines,
 * what the names of the topics begin with.
 */
public final class WordSource {
  private WordSource() {}

  public static void main(String[] args) throws Exception {
    String words = args[2] + "-words";
    String counts = args[2] + "-word-counts";
    int lines = Integer.parseInt(args[1]);
    Map<String, Long> expected = new TreeMap<>();
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", args[0]))) {
      admin.createTopics(List.of(new NewTopic(words, 3, (short) 3), new NewTopic(counts, 3, (short) 3))).all().get(30, TimeUnit.SECONDS);
    }
    System.out.println("topics are there");
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(Map.of("bootstrap.servers", args[0]), new StringSerializer(), new StringSerializer())) {
      for (int i = 0; i < lines; i++) {
        String line = "w" + i % 7 + " w" + i % 11 + " w" + i % 13;
        for (String word : line.split(" ")) expected.merge(word, 1L, Long::sum);
        producer.send(new ProducerRecord<>(words, "k" + i % 50, line));
        if (i % 20 == 19) Thread.sleep(60);
      }
      producer.flush();
    }
    System.out.println("written");
    Map<String, Object> config = Map.of("bootstrap.servers", args[0], "isolation.level", "read_committed", "group.id", "none", "enable.auto.commit", "false");
    try (KafkaConsumer<String, Long> consumer = new KafkaConsumer<>(config, new StringDeserializer(), new LongDeserializer())) {
      List<TopicPartition> partitions = List.of(0, 1, 2).stream().map(p -> new TopicPartition(counts, p)).toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<String, Long> seen = new TreeMap<>();
      long end = System.nanoTime() + 90_000_000_000L;
      while (!seen.equals(expected) && System.nanoTime() < end) {
        for (ConsumerRecord<String, Long> record : consumer.poll(Duration.ofMillis(200))) {
          long before = seen.getOrDefault(record.key(), 0L);
          // The cache may skip numbers, but a count never goes back or stands still.
          if (record.value() <= before) fail("the count of " + record.key() + " went from " + before + " to " + record.value());
          seen.put(record.key(), record.value());
        }
      }
      if (!seen.equals(expected)) fail("counts are " + seen + " and should be " + expected);
      Thread.sleep(1000);
      ConsumerRecords<String, Long> more = consumer.poll(Duration.ofMillis(500));
      if (!more.isEmpty()) fail("counts go on after the end: " + more.iterator().next());
    }
    System.out.println("exact: " + expected);
    System.exit(0);
  }

  private static void fail(String why) {
    System.out.println("wrong: " + why);
    System.exit(1);
  }
}
