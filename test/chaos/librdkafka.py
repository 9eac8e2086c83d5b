"""Clients under faults, through librdkafka: what they are told and what they see, a JSON line each.

ROLE is one of
  idempotent   a producer with five requests in flight
  transactional  transactions that are committed or aborted at random
  process      read committed records, write one for each, commit offsets and records together
  read         a member of a group that reads committed records
  dump         everything up to the end of a topic, once

Each runs until it is told to stop (SIGTERM); what it has under way is brought to an end first.
"""
import argparse
import json
import os
import random
import signal
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

options = argparse.ArgumentParser()
options.add_argument("role", choices=["idempotent", "transactional", "process", "read", "dump"])
options.add_argument("--bootstrap", required=True)
options.add_argument("--topic", required=True)
options.add_argument("--to")
options.add_argument("--name", default="client")
options.add_argument("--group")
options.add_argument("--protocol", default="classic", choices=["classic", "consumer"])
options.add_argument("--isolation", default="read_committed")
options.add_argument("--partitions", type=int, default=6)
options.add_argument("--begun-anew", action="store_true")
asked = options.parse_args()

over = False


# Heard by a thread of its own: the main one may be within the library.
ENDS = {signal.SIGTERM, signal.SIGINT}
signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)


def hear_the_end():
    global over
    while True:
        signal.sigwait(ENDS)
        over = True


threading.Thread(target=hear_the_end, daemon=True).start()


def end_with_parent(parent=os.getppid()):
    """Whoever started this may be killed: nobody is told anything any more."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


threading.Thread(target=end_with_parent, daemon=True).start()


def tell(**line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


common = {
    "bootstrap.servers": asked.bootstrap,
    "client.id": asked.name,
    "reconnect.backoff.max.ms": 500,
    "retry.backoff.ms": 50,
    "topic.metadata.refresh.interval.ms": 5000,
    "error_cb": lambda error: None,
    "log_level": 0,
}


def producer_of(**more):
    # No longer than a transaction may last.
    return Producer({**common, "enable.idempotence": True, "linger.ms": 2, "message.timeout.ms": 60000, **more})


def consumer_of(group, **more):
    session = {"session.timeout.ms": 10000} if asked.protocol == "classic" else {}
    return Consumer(
        {
            **common,
            **session,
            "group.id": group,
            "group.protocol": asked.protocol,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": asked.isolation,
            "fetch.wait.max.ms": 100,
            **more,
        }
    )


def idempotent():
    life = 0
    sent = 0
    while not over:
        # A batch of which some records are given up after a while is sent again without them, under a new
        # epoch, whether it was written or not: nobody could tell such duplicates from those of a broker.
        producer = producer_of(**{"max.in.flight.requests.per.connection": 5, "message.timeout.ms": 900000})
        dead = []

        def told(error, message, life=life):
            value = message.value().decode()
            if error is None:
                tell(kind="acked", life=life, partition=message.partition(), offset=message.offset(), value=value)
            else:
                tell(kind="unknown", value=value, error=error.name())
                if error.fatal():
                    dead.append(error.name())

        while not over and not dead:
            for _ in range(20):
                try:
                    producer.produce(asked.topic, value=f"{asked.name}:{sent}", partition=sent % asked.partitions, on_delivery=told)
                    sent += 1
                except BufferError:
                    break
                except KafkaException as cause:
                    dead.append(cause.args[0].name())
                    break
            producer.poll(0.05)
            # Enough to have five requests under way, and not more than a small disk holds.
            time.sleep(0.02)
        if dead:
            tell(kind="died", error=dead[0])
        producer.flush(120)
        life += 1


# Since when the library is asked to send offsets; 0: it is not.
asked_since = 0


def begin_anew_when_stuck():
    """The library may never return from sending offsets, whatever its timeout, once metadata has not named the
    group's coordinator for a moment (librdkafka #5511, #5456): this program then does what its users do."""
    # As long as another member's session lasts, which this one was before: nobody is done meanwhile.
    quiet_from = time.time() + (60 if asked.begun_anew else 0)
    while True:
        time.sleep(1)
        stuck_for = time.time() - asked_since if asked_since > 0 else 0
        if stuck_for > 5 or time.time() < quiet_from:
            tell(kind="retry", error="_STUCK")
        if stuck_for > 25:
            tell(kind="txn", outcome="unknown", values=[])
            if over:
                tell(kind="ended")
                os._exit(0)
            anew = [one for one in sys.argv if one != "--begun-anew"]
            os.execv(sys.executable, [sys.executable, *anew, "--begun-anew"])


def in_transaction(producer, work):
    """Runs work in a transaction: committed, aborted, unknown, or lost with its producer."""
    try:
        producer.begin_transaction()
        wants = work(producer)
        if not wants:
            end = producer.abort_transaction
        else:
            end = producer.commit_transaction
        while True:
            try:
                end(15)
                return "committed" if wants else "aborted", True
            except KafkaException as cause:
                error = cause.args[0]
                if error.retriable():
                    continue
                if error.txn_requires_abort():
                    wants = False
                    end = producer.abort_transaction
                    continue
                raise
    except KafkaException as cause:
        error = cause.args[0]
        if error.txn_requires_abort():
            while True:
                try:
                    producer.abort_transaction(15)
                    return "aborted", True
                except KafkaException as again:
                    if again.args[0].retriable():
                        continue
                    return "unknown", False
        tell(kind="died", error=error.name())
        return "unknown", False


def transactional_producer():
    while True:
        producer = producer_of(**{"transactional.id": asked.name, "transaction.timeout.ms": 60000})
        try:
            producer.init_transactions(60)
            return producer
        except KafkaException as cause:
            tell(kind="retry", error=cause.args[0].name())
            if over:
                return producer


def transactional():
    producer = transactional_producer()
    count = 0
    while not over:
        values = [(f"{asked.name}:{count}:{i}", random.randrange(asked.partitions)) for i in range(random.randint(1, 8))]
        count += 1
        wants = random.random() < 0.8

        def work(of):
            for value, partition in values:
                of.produce(asked.topic, value=value, partition=partition)
                of.poll(0)
            if random.random() < 0.3:
                of.flush(10)
            return wants

        outcome, alive = in_transaction(producer, work)
        tell(kind="txn", outcome=outcome, values=[value for value, _ in values])
        if not alive:
            producer = transactional_producer()
        time.sleep(0.005)


def process():
    threading.Thread(target=begin_anew_when_stuck, daemon=True).start()
    consumer = consumer_of(asked.group)
    consumer.subscribe([asked.topic])
    while not over:
        # Of the same name each time: what the one before has under way is ended first.
        producer = transactional_producer()
        alive = True
        while alive and not over:
            found = [one for one in consumer.consume(50, 0.3) if one.error() is None]
            if not found:
                continue

            def work(of):
                for one in found:
                    value = f"{one.partition()}:{one.offset()}"
                    of.produce(asked.to, value=value, partition=one.partition() % asked.partitions)
                    of.poll(0)
                ends = {}
                for one in found:
                    ends[one.partition()] = one.offset() + 1
                offsets = [TopicPartition(asked.topic, p, end) for p, end in ends.items()]
                global asked_since
                asked_since = time.time()
                try:
                    of.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), 15)
                finally:
                    asked_since = 0
                return True

            outcome, alive = in_transaction(producer, work)
            tell(kind="txn", outcome=outcome, values=[])
            if outcome != "committed":
                # From where the group stands, as every program of this kind does.
                try:
                    known = consumer.committed(consumer.assignment(), 15)
                    for one in known:
                        consumer.seek(TopicPartition(one.topic, one.partition, one.offset if one.offset >= 0 else 0))
                except KafkaException as cause:
                    tell(kind="retry", error=cause.args[0].name())
                    consumer.unsubscribe()
                    consumer.subscribe([asked.topic])
    consumer.close()


def read():
    consumer = consumer_of(asked.group)
    assigned = {"n": 0}

    def changed(*_):
        assigned["n"] += 1

    consumer.subscribe([asked.topic], on_assign=changed, on_lost=changed, on_revoke=changed)
    last = 0
    while not over:
        found = [one for one in consumer.consume(200, 0.3) if one.error() is None]
        if found:
            tell(
                kind="read",
                assignment=assigned["n"],
                records=[[one.partition(), one.offset(), one.value().decode()] for one in found],
            )
        if time.time() - last > 1:
            last = time.time()
            try:
                consumer.commit(asynchronous=True)
            except KafkaException:
                pass
    consumer.close()


def dump():
    consumer = consumer_of(f"dump-{random.getrandbits(32)}")
    ends = {}
    for partition in range(asked.partitions):
        while partition not in ends:
            try:
                ends[partition] = consumer.get_watermark_offsets(TopicPartition(asked.topic, partition), 15)[1]
            except KafkaException:
                continue
    consumer.assign([TopicPartition(asked.topic, partition, 0) for partition in ends])
    deadline = time.time() + 120
    while time.time() < deadline and not over:
        found = [one for one in consumer.consume(500, 0.3) if one.error() is None]
        if found:
            # As long as it gets on, however much there is.
            deadline = time.time() + 120
            tell(kind="read", assignment=0, records=[[one.partition(), one.offset(), one.value().decode()] for one in found])
        # Markers at the end carry no record: the position tells.
        at = {one.partition: one.offset for one in consumer.position([TopicPartition(asked.topic, p) for p in ends])}
        if all(end == 0 or at.get(partition, -1) >= end for partition, end in ends.items()):
            tell(kind="done", ends=ends)
            break
    consumer.close()


globals()[asked.role]()
tell(kind="ended")
