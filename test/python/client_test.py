"""The newest librdkafka, through confluent-kafka: idempotent producer, codecs, groups, admin."""
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition, libversion
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

bootstrap = sys.argv[1]
common = {"bootstrap.servers": bootstrap}
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]

admin = AdminClient(common)
admin.create_topics([NewTopic("librdkafka", 3, 3)])["librdkafka"].result(30)
admin.create_partitions([NewPartitions("librdkafka", 4)])["librdkafka"].result(30)
metadata = admin.list_topics("librdkafka", timeout=10)
assert len(metadata.topics["librdkafka"].partitions) == 4, "four partitions"
resource = ConfigResource(ConfigResource.Type.TOPIC, "librdkafka")
configs = list(admin.describe_configs([resource]).values())[0].result(10)
assert configs["cleanup.policy"].value == "delete"

for codec in CODECS:
    producer = Producer({**common, "enable.idempotence": True, "compression.type": codec})
    failures = []
    for i in range(100):
        producer.produce(
            "librdkafka",
            key=f"k{i}",
            value=f"{codec}-{i}" * 20,
            headers={"codec": codec},
            timestamp=1700000000000 + i,
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
    assert producer.flush(30) == 0, "everything is delivered"
    assert not failures, failures

settings = {**common, "group.id": "librdkafka-group", "auto.offset.reset": "earliest", "enable.auto.commit": False}


def read(expected):
    consumer = Consumer(settings)
    consumer.subscribe(["librdkafka"])
    seen = set()
    end = time.monotonic() + (30 if expected else 3)
    while len(seen) < max(expected, 1) and time.monotonic() < end:
        message = consumer.poll(0.2)
        if message is None:
            continue
        assert message.error() is None, message.error()
        codec = dict(message.headers())["codec"].decode()
        assert message.value().decode().startswith(codec)
        assert message.timestamp()[1] >= 1700000000000
        seen.add(message.value())
    if seen:
        consumer.commit(asynchronous=False)
    consumer.close()
    return len(seen)


assert read(500) == 500, "all records are read"
assert read(0) == 0, "what was committed does not come again"

consumer = Consumer(settings)
committed = consumer.committed([TopicPartition("librdkafka", p) for p in range(4)], timeout=10)
assert sum(max(p.offset, 0) for p in committed) == 500, committed
low, high = consumer.get_watermark_offsets(TopicPartition("librdkafka", 0), timeout=10)
assert low == 0 and high > 0
consumer.close()
admin.delete_topics(["librdkafka"])["librdkafka"].result(30)

# Transactions: what is read is written elsewhere, both or neither, with every third one aborted.
for name in ["copy-from", "copy-to"]:
    admin.create_topics([NewTopic(name, 2, 3)])[name].result(30)
source = Producer(common)
for i in range(200):
    source.produce("copy-from", key=f"k{i}", value=f"v{i}")
assert source.flush(30) == 0


def consumer_of(group, **more):
    return Consumer(
        {
            **common,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            **more,
        }
    )


copier = Producer({**common, "transactional.id": "copier", "transaction.timeout.ms": 30000})
copier.init_transactions(30)
reader = consumer_of("copier")
reader.subscribe(["copy-from"])
turn = 0
end = time.monotonic() + 60
while time.monotonic() < end:
    messages = reader.consume(20, timeout=1.0)
    if not messages:
        committed = reader.committed([TopicPartition("copy-from", p) for p in range(2)], timeout=10)
        if sum(max(p.offset, 0) for p in committed) == 200:
            break
        continue
    turn += 1
    copier.begin_transaction()
    for message in messages:
        copier.produce("copy-to", key=message.key(), value=message.value())
    positions = reader.position(reader.assignment())
    copier.send_offsets_to_transaction(positions, reader.consumer_group_metadata(), 30)
    if turn % 3 == 0:
        copier.abort_transaction(30)
        for partition in reader.committed(reader.assignment(), timeout=10):
            reader.seek(TopicPartition(partition.topic, partition.partition, max(partition.offset, 0)))
    else:
        copier.commit_transaction(30)
reader.close()

# The new group protocol reads the copies: each once.
checker = consumer_of("checker", **{"group.protocol": "consumer"})
checker.subscribe(["copy-to"])
values = []
end = time.monotonic() + 30
while len(values) < 200 and time.monotonic() < end:
    message = checker.poll(0.5)
    if message is not None:
        assert message.error() is None, message.error()
        values.append(message.value())
extra = checker.poll(1.0)
assert extra is None, "nothing more comes"
checker.close()
assert len(values) == 200 and len(set(values)) == 200, f"{len(values)} values, {len(set(values))} distinct"
print("ok", libversion()[0])
