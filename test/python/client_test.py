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
print("ok", libversion()[0])
