// KafkaJS against a broker: node check.mjs HOST:PORT prints `name<TAB>PASSED|FAILED` per check, reasons on stderr.
import assert from 'node:assert/strict';
import kafkajs from 'kafkajs';

const { Kafka, CompressionTypes, logLevel } = kafkajs;
const kafka = new Kafka({ clientId: 'compat', brokers: [process.argv[2]], logLevel: logLevel.NOTHING, retry: { retries: 3 } });
const admin = kafka.admin();
let count = 0;
const fresh = (what) => `${what}-${Date.now().toString(36)}-${count++}`;

async function check(name, body) {
  const limit = new Promise((_, fail) => setTimeout(() => fail(new Error('30 s are over')), 30000).unref());
  try {
    await Promise.race([body(), limit]);
    console.log(`${name}\tPASSED`);
  } catch (error) {
    console.log(`${name}\tFAILED`);
    console.error(`== ${name}\n${error.stack}`);
  }
}

async function topic(partitions = 1, configEntries = []) {
  const name = fresh('topic');
  assert(await admin.createTopics({ waitForLeaders: true, topics: [{ topic: name, numPartitions: partitions, configEntries }] }));
  return name;
}

async function send(name, messages, options = {}) {
  const producer = kafka.producer(options.producer ?? {});
  await producer.connect();
  const result = await producer.send({ topic: name, messages, acks: options.acks ?? -1, compression: options.compression });
  await producer.disconnect();
  return result;
}

async function read(name, wanted, options = {}) {
  const consumer = kafka.consumer({ groupId: options.group ?? fresh('group') });
  await consumer.connect();
  await consumer.subscribe({ topic: name, fromBeginning: true });
  const seen = [];
  await new Promise((done, fail) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => fail(payload.error));
    consumer.run({ eachMessage: async (got) => { seen.push(got); if (seen.length === wanted) done(); } }).catch(fail);
  });
  await consumer.disconnect();
  return seen;
}

const values = (seen) => seen.map(({ message }) => message.value?.toString() ?? null);

await admin.connect();

await check('describe-cluster', async () => {
  const cluster = await admin.describeCluster();
  assert.equal(cluster.brokers.length, 1);
  assert.equal(cluster.controller, cluster.brokers[0].nodeId);
});
await check('create-list-delete-topic', async () => {
  const name = await topic(2);
  assert((await admin.listTopics()).includes(name));
  assert.equal(await admin.createTopics({ topics: [{ topic: name }] }), false);
  await admin.deleteTopics({ topics: [name] });
  assert(!(await admin.listTopics()).includes(name));
});
await check('create-partitions', async () => {
  const name = await topic(1);
  await admin.createPartitions({ topicPartitions: [{ topic: name, count: 3 }] });
  const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
  assert.equal(topics[0].partitions.length, 3);
});
await check('configs', async () => {
  const name = await topic(1, [{ name: 'retention.ms', value: '900000' }]);
  const ask = { includeSynonyms: false, resources: [{ type: 2, name, configNames: ['retention.ms'] }] };
  assert.equal((await admin.describeConfigs(ask)).resources[0].configEntries[0].configValue, '900000');
  await admin.alterConfigs({ resources: [{ type: 2, name, configEntries: [{ name: 'retention.ms', value: '800000' }] }] });
  assert.equal((await admin.describeConfigs(ask)).resources[0].configEntries[0].configValue, '800000');
});
await check('produce-consume-with-keys-and-headers', async () => {
  const name = await topic();
  const sent = await send(name, [{ key: 'k', value: 'v', headers: { a: '1' }, timestamp: '1700000000000' }, { key: 'gone', value: null }]);
  assert.equal(sent[0].baseOffset, '0');
  const [first, second] = await read(name, 2);
  assert.equal(first.message.key.toString(), 'k');
  assert.equal(first.message.headers.a.toString(), '1');
  assert.equal(first.message.timestamp, '1700000000000');
  assert.equal(second.message.value, null);
});
await check('order-within-a-partition', async () => {
  const name = await topic();
  const messages = Array.from({ length: 2000 }, (_, number) => ({ value: String(number) }));
  await send(name, messages);
  assert.deepEqual(values(await read(name, 2000)), messages.map((message) => message.value));
});
await check('gzip', async () => {
  const name = await topic();
  await send(name, [{ value: 'squeezed' }], { compression: CompressionTypes.GZIP });
  assert.deepEqual(values(await read(name, 1)), ['squeezed']);
});
await check('acks-none-and-leader', async () => {
  const name = await topic();
  await send(name, [{ value: 'leader' }], { acks: 1 });
  await send(name, [{ value: 'none' }], { acks: 0 });
  assert.deepEqual(values(await read(name, 2)), ['leader', 'none']);
});
await check('idempotent', async () => {
  const name = await topic();
  await send(name, [{ value: 'once' }], { producer: { idempotent: true, maxInFlightRequests: 1 } });
  assert.deepEqual(values(await read(name, 1)), ['once']);
});
await check('auto-create', async () => {
  const name = fresh('auto');
  await send(name, [{ value: 'x' }]);
  assert.deepEqual(values(await read(name, 1)), ['x']);
});
await check('group-goes-on-where-it-stopped', async () => {
  const [name, group] = [await topic(), fresh('group')];
  await send(name, [{ value: '1' }, { value: '2' }]);
  assert.deepEqual(values(await read(name, 2, { group })), ['1', '2']);
  await send(name, [{ value: '3' }]);
  assert.deepEqual(values(await read(name, 1, { group })), ['3']);
});
await check('two-members-share', async () => {
  const [name, groupId] = [await topic(4), fresh('group')];
  const shares = await Promise.all([0, 1].map(async () => {
    const consumer = kafka.consumer({ groupId, rebalanceTimeout: 5000 });
    await consumer.connect();
    await consumer.subscribe({ topic: name });
    const share = { consumer, partitions: [] };
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => { share.partitions = payload.memberAssignment[name] ?? []; });
    await consumer.run({ eachMessage: async () => {} });
    return share;
  }));
  while (shares.some((share) => share.partitions.length !== 2)) await new Promise((done) => setTimeout(done, 50));
  assert.deepEqual(shares.flatMap((share) => share.partitions).sort(), [0, 1, 2, 3]);
  const [description] = (await admin.describeGroups([groupId])).groups;
  assert.equal(description.members.length, 2);
  await Promise.all(shares.map((share) => share.consumer.disconnect()));
});
await check('offsets-of-topics-and-groups', async () => {
  const [name, group] = [await topic(), fresh('group')];
  const start = Date.now() - 5000;
  await send(name, [{ value: '1', timestamp: String(start) }, { value: '2', timestamp: String(start + 2000) }]);
  const [offsets] = await admin.fetchTopicOffsets(name);
  assert.deepEqual([offsets.low, offsets.high], ['0', '2']);
  await admin.setOffsets({ groupId: group, topic: name, partitions: [{ partition: 0, offset: '1' }] });
  assert.equal((await admin.fetchOffsets({ groupId: group, topics: [name] }))[0].partitions[0].offset, '1');
  const [byTime] = await admin.fetchTopicOffsetsByTimestamp(name, start + 1000);
  assert.equal(byTime.offset, '1');
});
await check('list-and-delete-groups', async () => {
  const [name, group] = [await topic(), fresh('group')];
  await send(name, [{ value: 'x' }]);
  await read(name, 1, { group });
  assert((await admin.listGroups()).groups.some((one) => one.groupId === group));
  await admin.deleteGroups([group]);
  assert(!(await admin.listGroups()).groups.some((one) => one.groupId === group));
});
await check('too-large-is-refused', async () => {
  const name = await topic();
  await assert.rejects(send(name, [{ value: 'x'.repeat(2000000) }]), /larger|too large/i);
});

await admin.disconnect();
process.exit(0);
