"""Load by librdkafka, through confluent-kafka. Each command prints one line of JSON.

Rates are kept without coordinated omission: a late answer counts from when its request was due.
"""
import argparse
import gc
import json
import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition, libversion, version
from confluent_kafka.admin import AdminClient, NewTopic

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("command")
parser.add_argument("--bootstrap", default="")
parser.add_argument("--topic", default="bench")
parser.add_argument("--partitions", type=int, default=1)
parser.add_argument("--replicas", type=int, default=1)
parser.add_argument("--seconds", type=float, default=5)
parser.add_argument("--rate", type=float, default=1000, help="records a second, or MB a second")
parser.add_argument("--batch-bytes", type=int, default=16384)
parser.add_argument("--record-bytes", type=int, default=1024)
parser.add_argument("--producers", type=int, default=1)
parser.add_argument("--wait", type=int, default=0, help="say that everything is loaded, and go at a line")
args = parser.parse_args()
QUICK = {
    "bootstrap.servers": args.bootstrap,
    "reconnect.backoff.ms": 10,
    "reconnect.backoff.max.ms": 20,
    "retry.backoff.ms": 10,
    "retry.backoff.max.ms": 20,
    "topic.metadata.refresh.fast.interval.ms": 20,
    "socket.nagle.disable": True,
}


def say(**facts):
    print(json.dumps(facts), flush=True)


def quantiles(seconds):
    seconds.sort()
    at = lambda q: seconds[min(len(seconds) - 1, int(q * len(seconds)))] * 1000 if seconds else None
    return {"p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": at(1.0), "count": len(seconds)}


class Errors:
    def __init__(self):
        self.count = 0
        self.last = None

    def on_delivery(self, error, _message):
        if error is not None:
            self.count += 1
            self.last = str(error)


def bulk_producer(errors):
    return Producer(
        {
            "bootstrap.servers": args.bootstrap,
            "acks": "all",
            "batch.size": args.batch_bytes,
            "batch.num.messages": 100000,
            "linger.ms": 50,
            "queue.buffering.max.messages": 200000,
            "queue.buffering.max.kbytes": 128 * 1024,
            "delivery.report.only.error": True,
            "on_delivery": errors.on_delivery,
        }
    )


def fill(producer, rate_mb):
    """Sends for a while, as fast as it goes or at a rate; returns bytes and seconds until all is acknowledged."""
    value = b"x" * args.record_bytes
    per_call = max(1, (args.batch_bytes - 100) // (args.record_bytes + 12))
    messages = [{"value": value} for _ in range(per_call)]
    call_bytes = per_call * args.record_bytes
    sent = 0
    started = time.monotonic()
    end = started + args.seconds
    partition = 0
    while True:
        now = time.monotonic()
        if now >= end:
            break
        if rate_mb is not None and sent > (now - started) * rate_mb * 1e6:
            producer.poll(0.002)
            continue
        if len(producer) > 100000:
            producer.poll(0.001)
            continue
        producer.produce_batch(args.topic, messages, partition=partition % args.partitions)
        partition += 1
        sent += call_bytes
        if partition % 64 == 0:
            producer.poll(0)
    producer.flush(60)
    return sent, time.monotonic() - started


def produce(rate_mb=None):
    errors = Errors()
    sent, seconds = fill(bulk_producer(errors), rate_mb)
    say(bytes=sent, seconds=seconds, errors=errors.count, error=errors.last)


def consume():
    """Reads all there is from the beginning; with `tail`, what comes from now on for some seconds."""
    tail = args.command == "tail"
    consumer = Consumer(
        {
            "bootstrap.servers": args.bootstrap,
            "group.id": "bench",
            "enable.auto.commit": False,
            "queued.max.messages.kbytes": 65536,
        }
    )
    ends = {}
    for p in range(args.partitions):
        _, ends[p] = consumer.get_watermark_offsets(TopicPartition(args.topic, p), timeout=10)
    consumer.assign([TopicPartition(args.topic, p, ends[p] if tail else 0) for p in range(args.partitions)])
    if tail:
        consumer.consume(1, timeout=0.2)
        say(ready=True)
    wanted = None if tail else sum(ends.values())
    read = count = 0
    started = time.monotonic()
    end = started + args.seconds
    while (tail and time.monotonic() < end) or (not tail and count < wanted and time.monotonic() < started + 120):
        for message in consumer.consume(5000, timeout=0.1):
            if message.error() is not None:
                raise KafkaException(message.error())
            read += len(message.value())
            count += 1
    seconds = time.monotonic() - started
    consumer.close()
    say(bytes=read, seconds=seconds, complete=wanted is None or count >= wanted)


def latency():
    """Single-record requests at a rate, spread over producers and partitions."""
    gc.disable()  # what is made here goes by itself
    took = []
    gap = [0.0, time.monotonic()]
    failed = [0]
    config = {**QUICK, "acks": "all", "linger.ms": 0, "batch.num.messages": 1, "message.timeout.ms": 60000}
    producers = [Producer(config) for _ in range(args.producers)]
    value = b"x" * 100

    def report(due):
        def on_delivery(error, _message):
            now = time.monotonic()
            if error is not None:
                failed[0] += 1
                return
            took.append(now - due)
            gap[0] = max(gap[0], now - gap[1])
            gap[1] = now

        return on_delivery

    for i, producer in enumerate(producers):  # connections and metadata first
        for p in range(i % args.partitions, args.partitions, args.producers):
            producer.produce(args.topic, value, partition=p)
    for producer in producers:
        assert producer.flush(60) == 0, "warming up takes too long"
    say(ready=True)
    gap[1] = time.monotonic()
    started = time.monotonic()
    total = int(args.rate * args.seconds)
    waiting = {}  # the producers that have an answer to come
    deadline = started + args.seconds + 60
    i = 0
    while len(took) + failed[0] < total and time.monotonic() < deadline:
        due_count = min(total, int((time.monotonic() - started) * args.rate) + 1)
        while i < due_count:
            due = started + i / args.rate
            producer = producers[i % args.producers]
            producer.produce(args.topic, value, partition=i % args.partitions, on_delivery=report(due))
            waiting[producer] = True
            i += 1
        if args.producers == 1:
            producers[0].poll(max(0.0, min(0.001, started + i / args.rate - time.monotonic())))
            continue
        for producer in list(waiting):
            producer.poll(0)
            if len(producer) == 0:
                del waiting[producer]
        time.sleep(0.00005)
    say(**quantiles(took), failed=total - len(took), gap=gap[0] * 1000)


def first():
    """Waits for the first acknowledged record, from before the servers are there."""
    if args.wait:
        say(ready=True)
        sys.stdin.readline()
    deadline = time.monotonic() + 180
    while True:
        assert time.monotonic() < deadline, "nothing was acknowledged within three minutes"
        done = []
        producer = Producer({**QUICK, "acks": "all", "message.timeout.ms": 120000, "log_level": 0})
        producer.produce(args.topic, b"x", partition=0, on_delivery=lambda error, _: done.append(error))
        while not done:
            producer.poll(0.01)
        if done[0] is None:
            break
        time.sleep(0.01)
    say(at=time.time() * 1000)


def create():
    """Makes a topic; how long until it is known, and until every partition has acknowledged a record."""
    admin = AdminClient(QUICK)
    started = time.monotonic()
    # Files of dropped topics go soon: their memory is what the next load writes to.
    config = {"min.insync.replicas": "2" if args.replicas > 1 else "1", "file.delete.delay.ms": "1000"}
    new = NewTopic(args.topic, args.partitions, args.replicas, config=config)
    admin.create_topics([new], operation_timeout=60, request_timeout=60)[args.topic].result(60)
    known = None
    while known is None:
        topic = admin.list_topics(args.topic, timeout=30).topics.get(args.topic)
        if topic is not None and topic.error is None and len(topic.partitions) == args.partitions:
            known = time.monotonic() - started
    errors = Errors()
    producer = Producer({**QUICK, "acks": "all", "linger.ms": 0, "message.timeout.ms": 120000, "on_delivery": errors.on_delivery})
    for p in range(args.partitions):
        producer.produce(args.topic, b"x", partition=p)
    left = producer.flush(120)
    say(known=known * 1000, whole=(time.monotonic() - started) * 1000, failed=errors.count + left)


def topics():
    """Makes many topics with one request; how long until all are known, and have acknowledged a record."""
    admin = AdminClient(QUICK)
    names = [f"{args.topic}-{i}" for i in range(args.partitions)]
    config = {"min.insync.replicas": "2" if args.replicas > 1 else "1"}
    started = time.monotonic()
    made = admin.create_topics(
        [NewTopic(name, 1, args.replicas, config=config) for name in names],
        operation_timeout=120,
        request_timeout=120,
    )
    for future in made.values():
        future.result(120)
    known = None
    while known is None:
        there = admin.list_topics(timeout=30).topics
        if all(name in there and there[name].error is None and len(there[name].partitions) == 1 for name in names):
            known = time.monotonic() - started
    errors = Errors()
    producer = Producer({**QUICK, "acks": "all", "linger.ms": 0, "message.timeout.ms": 120000, "on_delivery": errors.on_delivery})
    for name in names:
        producer.produce(name, b"x", partition=0)
    left = producer.flush(120)
    say(known=known * 1000, whole=(time.monotonic() - started) * 1000, failed=errors.count + left)


def delete():
    admin = AdminClient(QUICK)  # a client without a name would be collected while it waits
    admin.delete_topics([args.topic], operation_timeout=30)[args.topic].result(60)
    say(deleted=True)


if args.command == "version":
    say(client=version(), librdkafka=libversion()[0])
else:
    {
        "produce": produce,
        "paced": lambda: produce(args.rate),
        "consume": consume,
        "tail": consume,
        "latency": latency,
        "first": first,
        "create": create,
        "topics": topics,
        "delete": delete,
    }[args.command]()
sys.stdout.flush()
