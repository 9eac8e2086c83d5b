package tenure;

import static tenure.Checks.*;

import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.serialization.*;

/** Groups whose partitions the broker assigns (KIP-848). */
final class ConsumerGroupTest {
  private ConsumerGroupTest() {}

  /** A consumer in a thread of its own that polls until it is closed. */
  private static final class Member implements AutoCloseable {
    final KafkaConsumer<String, String> consumer;
    final AtomicBoolean over = new AtomicBoolean();
    final List<String> values = Collections.synchronizedList(new ArrayList<>());
    volatile Set<TopicPartition> assigned = Set.of();
    volatile Throwable failure;
    final Thread thread;

    Member(String bootstrap, String group, Map<String, Object> more, Object subscription) {
      Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "group.id", group,
          "group.protocol", "consumer", "auto.offset.reset", "earliest"));
      config.putAll(more);
      consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
      if (subscription instanceof SubscriptionPattern pattern) consumer.subscribe(pattern);
      else consumer.subscribe((List<String>) subscription);
      thread = new Thread(() -> {
        try {
          while (!over.get()) {
            for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) values.add(record.value());
            assigned = Set.copyOf(consumer.assignment());
          }
          consumer.close();
        } catch (Throwable cause) {
          failure = cause;
        }
      });
      thread.start();
    }

    @Override public void close() throws Exception {
      over.set(true);
      thread.join(20_000);
    }
  }

  private static void produce(String bootstrap, String topic, int from, int count) throws Exception {
    try (KafkaProducer<String, String> producer = new KafkaProducer<>(Map.of("bootstrap.servers", bootstrap), new StringSerializer(), new StringSerializer())) {
      for (int i = from; i < from + count; i++) producer.send(new ProducerRecord<>(topic, "k" + i, topic + i));
      producer.flush();
    }
  }

  private static GroupType type(Admin admin, String group) throws Exception {
    return admin.listGroups().all().get().stream().filter(one -> one.groupId().equals(group)).findFirst().orElseThrow().type().get();
  }

  private static int distinct(Member... members) {
    Set<String> values = new HashSet<>();
    for (Member member : members) synchronized (member.values) { values.addAll(member.values); }
    return values.size();
  }

  static void run(String bootstrap) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      admin.createTopics(List.of(new NewTopic("next-a", 4, (short) 2), new NewTopic("next-b", 2, (short) 2))).all().get(30, TimeUnit.SECONDS);
      produce(bootstrap, "next-a", 0, 200);

      check("the broker shares partitions out, moves them as members come and go, and offsets resume", () -> {
        try (Member first = new Member(bootstrap, "next", Map.of(), List.of("next-a"))) {
          eventually("the first one has all four", () -> first.assigned.size() == 4);
          eventually("it reads everything", () -> first.values.size() == 200);
          try (Member second = new Member(bootstrap, "next", Map.of(), List.of("next-a"))) {
            eventually("two each", () -> first.assigned.size() == 2 && second.assigned.size() == 2);
            must(Collections.disjoint(first.assigned, second.assigned), "and not the same");
            ConsumerGroupDescription group = admin.describeConsumerGroups(List.of("next")).all().get().get("next");
            must(group.type() == GroupType.CONSUMER && group.members().size() == 2, "it is described: " + group);
            must(group.partitionAssignor().equals("uniform"), "uniform by default");
            must(admin.listGroups(ListGroupsOptions.forConsumerGroups()).all().get().stream().anyMatch(one -> one.groupId().equals("next") && one.type().get() == GroupType.CONSUMER), "it is listed");
            produce(bootstrap, "next-a", 200, 100);
            eventually("both read on", () -> first.values.size() + second.values.size() == 300);
            must(second.failure == null && first.failure == null, "nobody fails");
          }
          eventually("all four are back", () -> first.assigned.size() == 4);
        }
        produce(bootstrap, "next-a", 300, 10);
        try (Member again = new Member(bootstrap, "next", Map.of(), List.of("next-a"))) {
          eventually("only what is new", () -> again.values.size() == 10);
          Thread.sleep(500);
          must(again.values.size() == 10, "nothing twice");
        }
      });

      check("topics by pattern, new ones and new partitions included", () -> {
        try (Member member = new Member(bootstrap, "pattern", Map.of("metadata.max.age.ms", "1000"), new SubscriptionPattern("next-[a-z]+"))) {
          eventually("six partitions", () -> member.assigned.size() == 6);
          admin.createTopics(List.of(new NewTopic("next-new", 1, (short) 1))).all().get(30, TimeUnit.SECONDS);
          eventually("the new topic too", () -> member.assigned.size() == 7);
          admin.createPartitions(Map.of("next-b", NewPartitions.increaseTo(3))).all().get();
          eventually("and the new partition", () -> member.assigned.size() == 8);
          must(member.failure == null, "no failure: " + member.failure);
        }
      });

      check("a static member that comes back finds its partitions, and a second one of its name is refused", () -> {
        Member one = new Member(bootstrap, "static", Map.of("group.instance.id", "one"), List.of("next-a"));
        try (Member two = new Member(bootstrap, "static", Map.of("group.instance.id", "two"), List.of("next-a"))) {
          eventually("two each", () -> one.assigned.size() == 2 && two.assigned.size() == 2);
          Set<TopicPartition> before = one.assigned;
          Member twin = new Member(bootstrap, "static", Map.of("group.instance.id", "one"), List.of("next-a"));
          eventually("the twin is refused", () -> twin.failure instanceof org.apache.kafka.common.errors.UnreleasedInstanceIdException);
          one.close();
          Thread.sleep(1500);
          must(two.assigned.size() == 2, "its partitions wait for it");
          try (Member back = new Member(bootstrap, "static", Map.of("group.instance.id", "one"), List.of("next-a"))) {
            eventually("it has them again", () -> back.assigned.equals(before));
          }
        } finally {
          one.close();
        }
      });

      check("the range assignor on demand, and an assignor that does not exist", () -> {
        try (Member first = new Member(bootstrap, "range", Map.of("group.remote.assignor", "range"), List.of("next-a", "next-b"));
             Member second = new Member(bootstrap, "range", Map.of("group.remote.assignor", "range"), List.of("next-a", "next-b"))) {
          eventually("neighbours", () -> first.assigned.size() + second.assigned.size() == 7 && !second.assigned.isEmpty() && !first.assigned.isEmpty());
        }
        try (Member wrong = new Member(bootstrap, "wrong", Map.of("group.remote.assignor", "none"), List.of("next-a"))) {
          eventually("refused", () -> wrong.failure instanceof org.apache.kafka.common.errors.UnsupportedAssignorException);
        }
      });

      for (String assignor : List.of("org.apache.kafka.clients.consumer.RangeAssignor", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor")) {
        check("a group with members changes its protocol and back while they read: " + assignor.replaceAll(".*\\.", ""), () -> {
          String topic = "move-" + assignor.replaceAll(".*\\.", "").toLowerCase();
          String group = topic + "-group";
          admin.createTopics(List.of(new NewTopic(topic, 6, (short) 2))).all().get(30, TimeUnit.SECONDS);
          Map<String, Object> classic = Map.of("group.protocol", "classic", "partition.assignment.strategy", assignor, "auto.commit.interval.ms", "200", "session.timeout.ms", "10000", "heartbeat.interval.ms", "300");
          Map<String, Object> next = Map.of("auto.commit.interval.ms", "200");
          List<String> all = Collections.synchronizedList(new ArrayList<>());
          produce(bootstrap, topic, 0, 60);
          Member a = new Member(bootstrap, group, classic, List.of(topic));
          Member b = new Member(bootstrap, group, classic, List.of(topic));
          eventually("three each", () -> a.assigned.size() == 3 && b.assigned.size() == 3);
          Member c = new Member(bootstrap, group, next, List.of(topic));
          eventually("two each, one by the new protocol", () -> a.assigned.size() == 2 && b.assigned.size() == 2 && c.assigned.size() == 2);
          must(type(admin, group) == GroupType.CONSUMER, "it is a consumer group now");
          produce(bootstrap, topic, 60, 60);
          eventually("all read on", () -> distinct(a, b, c) == 120);
          a.close();
          eventually("three each after one left", () -> b.assigned.size() == 3 && c.assigned.size() == 3);
          Member d = new Member(bootstrap, group, next, List.of(topic));
          eventually("two each again", () -> b.assigned.size() == 2 && c.assigned.size() == 2 && d.assigned.size() == 2);
          produce(bootstrap, topic, 120, 60);
          eventually("all read on again", () -> distinct(a, b, c, d) == 180);
          c.close();
          d.close();
          eventually("the classic one has all", () -> b.assigned.size() == 6);
          must(type(admin, group) == GroupType.CLASSIC, "it is a classic group again");
          produce(bootstrap, topic, 180, 20);
          eventually("it reads on", () -> distinct(a, b, c, d) == 200);
          for (Member one : List.of(a, b, c, d)) must(one.failure == null, "no failure: " + one.failure);
          b.close();
        });
      }

      check("an empty group changes its protocol, and can be deleted", () -> {
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "group.id", "next", "group.protocol", "classic", "auto.offset.reset", "earliest");
        try (KafkaConsumer<String, String> classic = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer())) {
          classic.subscribe(List.of("next-a"));
          eventually("a classic member has all four", () -> { classic.poll(Duration.ofMillis(100)); return classic.assignment().size() == 4; });
          must(classic.position(new TopicPartition("next-a", 0)) > 0, "with the offsets of before");
          classic.commitSync();
        }
        try (Member next = new Member(bootstrap, "next", Map.of(), List.of("next-a"))) {
          eventually("and back", () -> next.assigned.size() == 4);
        }
        eventually("the group is empty", () -> admin.describeConsumerGroups(List.of("next")).all().get().get("next").groupState() == GroupState.EMPTY);
        admin.deleteConsumerGroups(List.of("next")).all().get();
        must(admin.listGroups().all().get().stream().noneMatch(one -> one.groupId().equals("next")), "gone");
      });
    }
  }
}
