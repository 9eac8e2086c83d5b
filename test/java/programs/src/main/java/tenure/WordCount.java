package tenure;

import java.time.Duration;
import java.util.*;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;

/**
 * Counts words exactly once with Kafka Streams. Runs until it is killed.
 * Arguments: bootstrap servers, state directory, group protocol (classic or streams), which also
 * begins the names of its topics.
 */
public final class WordCount {
  private WordCount() {}

  public static void main(String[] args) throws Exception {
    String protocol = args[2];
    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(protocol + "-words", Consumed.with(Serdes.String(), Serdes.String()))
        .flatMapValues(line -> Arrays.asList(line.split(" ")))
        .groupBy((key, word) -> word, Grouped.with(Serdes.String(), Serdes.String()))
        .count(Materialized.as("counts"))
        .toStream()
        .to(protocol + "-word-counts", Produced.with(Serdes.String(), Serdes.Long()));
    Properties config = new Properties();
    config.put(StreamsConfig.APPLICATION_ID_CONFIG, protocol + "-word-count");
    config.put(StreamsConfig.GROUP_PROTOCOL_CONFIG, protocol);
    config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    config.put(StreamsConfig.STATE_DIR_CONFIG, args[1]);
    config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    config.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 3);
    config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
    if (protocol.equals("classic")) config.put(StreamsConfig.consumerPrefix("session.timeout.ms"), 6000);
    config.put(StreamsConfig.producerPrefix("transaction.timeout.ms"), 10000);
    config.put("default.deserialization.exception.handler", "org.apache.kafka.streams.errors.LogAndFailExceptionHandler");
    KafkaStreams streams = new KafkaStreams(builder.build(), config);
    streams.setUncaughtExceptionHandler(cause -> {
      System.out.println("failed: " + cause);
      return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.REPLACE_THREAD;
    });
    streams.start();
    System.out.println("started");
    new CountDownLatch(1).await();
  }
}
