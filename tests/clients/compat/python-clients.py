#!/usr/bin/env python3
"""aiokafka and Confluent's client in Python: python-clients.py HOST:PORT prints `name<TAB>PASSED|FAILED` per check,
reasons on stderr."""
# Compat: V19, G8, G10.
import asyncio
import sys
import time
import traceback

import aiokafka
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin import NewTopic as AioTopic
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic, OffsetSpec

SERVER = sys.argv[1]
COUNT = iter(range(1_000_000))


def fresh(what):
    return f"{what}-{time.time_ns()}-{next(COUNT)}"


def check(name, body, *args):
    try:
        result = body(*args)
        if asyncio.iscoroutine(result):
            asyncio.run(asyncio.wait_for(result, 40))
        print(f"{name}\tPASSED", flush=True)
    except BaseException:
        print(f"{name}\tFAILED", flush=True)
        print(f"== {name}\n{traceback.format_exc()}", file=sys.stderr)


admin = AdminClient({"bootstrap.servers": SERVER})


def create(partitions=1, **config):
    topic = fresh("py")
    admin.create_topics([NewTopic(topic, partitions, 1, config={key.replace("_", "."): value for key, value in config.items()})])[topic].result(20)
    return topic


def refused(code, future):
    try:
        future.result(20)
    except KafkaException as error:
        assert error.args[0].code() == code, error
        return
    raise AssertionError(f"{code} expected")


# Confluent's client

def fill(topic, count, **settings):
    told = []
    producer = Producer({"bootstrap.servers": SERVER, **{key.replace("_", "."): value for key, value in settings.items()}})
    for number in range(count):
        producer.produce(topic, f"value {number}", f"k{number % 5}", headers=[("h", b"1"), ("h", None)], on_delivery=lambda error, message: told.append(error))
    assert producer.flush(30) == 0
    assert told == [None] * count, set(map(str, told))


def drain(consumer, wanted, patience=30):
    seen, until = [], time.time() + patience
    while len(seen) < wanted and time.time() < until:
        message = consumer.poll(0.2)
        if message is None:
            continue
        assert message.error() is None, message.error()
        seen.append(message)
    assert len(seen) == wanted, f"{len(seen)} of {wanted}"
    return seen


def consumer(group, **settings):
    return Consumer({"bootstrap.servers": SERVER, "group.id": group, "auto.offset.reset": "earliest", **{key.replace("_", "."): value for key, value in settings.items()}})


def confluent(**settings):
    topic = create(3)
    fill(topic, 300, **settings)
    reader = consumer(topic)
    reader.subscribe([topic])
    seen = drain(reader, 300)
    assert len({message.value() for message in seen}) == 300
    assert seen[0].headers() == [("h", b"1"), ("h", None)]
    reader.close()


def confluent_members(strategy):
    topic = create(4)
    members = [consumer(topic, partition_assignment_strategy=strategy, session_timeout_ms=6000) for _ in range(2)]
    for member in members:
        member.subscribe([topic])
    until = time.time() + 30
    while sorted(len(member.assignment()) for member in members) != [2, 2]:
        assert time.time() < until, [member.assignment() for member in members]
        for member in members:
            member.poll(0.1)
    fill(topic, 100)
    until, seen = time.time() + 30, 0
    while seen < 100 and time.time() < until:
        seen += sum(1 for member in members if member.poll(0.05) is not None)
    assert seen == 100, seen
    for member in members:
        member.close()


def confluent_offsets():
    topic = create(1)
    fill(topic, 20)
    reader = consumer(topic, enable_auto_commit=False)
    place = TopicPartition(topic, 0)
    assert reader.get_watermark_offsets(place, 10) == (0, 20)
    assert reader.offsets_for_times([TopicPartition(topic, 0, 0)], 10)[0].offset == 0
    reader.commit(offsets=[TopicPartition(topic, 0, 12, metadata="note")], asynchronous=False)
    found = reader.committed([place], 10)[0]
    assert (found.offset, found.metadata) == (12, "note")
    reader.subscribe([topic])
    assert drain(reader, 8)[0].offset() == 12
    reader.close()


def confluent_admin():
    topic = create(2, retention_ms="1234")
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    configs = admin.describe_configs([resource])[resource].result(20)
    assert configs["retention.ms"].value == "1234" and len(configs) > 25
    admin.create_partitions([NewPartitions(topic, 4)])[topic].result(20)
    assert len(admin.list_topics(topic, 10).topics[topic].partitions) == 4
    refused(KafkaError.TOPIC_ALREADY_EXISTS, admin.create_topics([NewTopic(topic, 1, 1)])[topic])
    place = TopicPartition(topic, 0)
    assert admin.list_offsets({place: OffsetSpec.latest()})[place].result(20).offset == 0
    cluster = admin.describe_cluster().result(20)
    assert len(cluster.nodes) == 1 and len(cluster.cluster_id) == 22
    group = fresh("group")
    admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 0)])])[group].result(20)
    assert admin.list_consumer_groups().result(20).errors == []
    admin.delete_consumer_groups([group])[group].result(20)
    admin.delete_topics([topic])[topic].result(20)
    refused(KafkaError.UNKNOWN_TOPIC_OR_PART, admin.delete_topics([topic])[topic])


# aiokafka

async def aio(**settings):
    topic = create(3)
    async with aiokafka.AIOKafkaProducer(bootstrap_servers=SERVER, **settings) as producer:
        await asyncio.gather(*[await producer.send(topic, b"value %d" % number, key=b"k%d" % (number % 5)) for number in range(300)])
    reader = aiokafka.AIOKafkaConsumer(topic, bootstrap_servers=SERVER, group_id=topic, auto_offset_reset="earliest")
    async with reader:
        seen = set()
        async for message in reader:
            seen.add(message.value)
            if len(seen) == 300:
                break


async def aio_simple_commit():
    topic = create(1)
    place = aiokafka.TopicPartition(topic, 0)
    async with aiokafka.AIOKafkaProducer(bootstrap_servers=SERVER) as producer:
        await producer.send_and_wait(topic, b"a", partition=0)
    reader = aiokafka.AIOKafkaConsumer(bootstrap_servers=SERVER, group_id=topic, enable_auto_commit=False)
    async with reader:
        reader.assign([place])
        await reader.commit({place: aiokafka.structs.OffsetAndMetadata(1, "note")})
        assert await reader.committed(place) == 1
        assert await reader.end_offsets([place]) == {place: 1}
        assert (await reader.offsets_for_times({place: 0}))[place].offset == 0


async def aio_two_members():
    topic = create(4)
    readers = [aiokafka.AIOKafkaConsumer(topic, bootstrap_servers=SERVER, group_id=topic, auto_offset_reset="earliest") for _ in range(2)]
    for reader in readers:
        await reader.start()
    until = time.time() + 30
    while sorted(len(reader.assignment()) for reader in readers) != [2, 2]:
        assert time.time() < until, [reader.assignment() for reader in readers]
        await asyncio.sleep(0.1)
    for reader in readers:
        await reader.stop()


async def aio_auto_created():
    topic = fresh("aio")
    async with aiokafka.AIOKafkaProducer(bootstrap_servers=SERVER) as producer:
        assert (await producer.send_and_wait(topic, b"a")).offset == 0


async def aio_admin():
    client = AIOKafkaAdminClient(bootstrap_servers=SERVER)
    await client.start()
    topic = fresh("aio")
    await client.create_topics([AioTopic(topic, 2, 1)])
    assert topic in await client.list_topics()
    assert len((await client.describe_topics([topic]))[0]["partitions"]) == 2
    await client.list_consumer_groups()
    await client.delete_topics([topic])
    await client.close()


for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
    check(f"confluent-{codec}", lambda: confluent(compression_type=codec))
check("confluent-idempotent", lambda: confluent(enable_idempotence=True))
check("confluent-acks-0", lambda: confluent(acks=0))
for strategy in ["range", "roundrobin", "cooperative-sticky"]:
    check(f"confluent-members-{strategy}", confluent_members, strategy)
check("confluent-offsets", confluent_offsets)
check("confluent-admin", confluent_admin)
for codec in [None, "gzip", "snappy", "lz4", "zstd"]:
    check(f"aiokafka-{codec or 'none'}", lambda: aio(compression_type=codec))
check("aiokafka-idempotent", lambda: aio(enable_idempotence=True))
check("aiokafka-acks-0", lambda: aio(acks=0))
check("aiokafka-simple-commit", aio_simple_commit)
check("aiokafka-two-members", aio_two_members)
check("aiokafka-auto-created", aio_auto_created)
check("aiokafka-admin", aio_admin)
