// Apache Kafka's own Java client with settings that few people set: java java-clients.java HOST:PORT
// prints `name<TAB>PASSED|FAILED` per check, reasons on stderr.
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.function.Supplier;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.*;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.*;

class JavaClients {
    interface Body { void run() throws Exception; }

    static String server;
    static Admin admin;
    static int count = 0;

    public static void main(String[] args) throws Exception {
        server = args[0];
        admin = Admin.create(Map.of("bootstrap.servers", server));
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            check("produce-" + codec, () -> roundTrip(Map.of("compression.type", codec)));
            check("topic-" + codec, () -> topicCodec(codec.equals("none") ? "uncompressed" : codec));
        }
        check("idempotence-off", () -> roundTrip(Map.of("enable.idempotence", false)));
        check("acks-0", () -> roundTrip(Map.of("enable.idempotence", false, "acks", "0")));
        check("acks-1", () -> roundTrip(Map.of("enable.idempotence", false, "acks", "1")));
        check("no-retries", () -> roundTrip(Map.of("enable.idempotence", false, "retries", 0)));
        check("one-in-flight", () -> roundTrip(Map.of("max.in.flight.requests.per.connection", 1)));
        check("small-batches", () -> roundTrip(Map.of("batch.size", 0)));
        check("long-linger", () -> roundTrip(Map.of("linger.ms", 200, "batch.size", 1 << 20)));
        check("auto-created", JavaClients::autoCreated);
        check("read-committed", () -> reading(Map.of("isolation.level", "read_committed")));
        check("fetch-one-byte", () -> reading(Map.of("max.partition.fetch.bytes", 1, "fetch.max.bytes", 1)));
        check("fetch-patient", () -> reading(Map.of("fetch.min.bytes", 1 << 20, "fetch.max.wait.ms", 300)));
        check("no-crc-check", () -> reading(Map.of("check.crcs", false)));
        check("client-rack", () -> reading(Map.of("client.rack", "somewhere")));
        check("poll-one", () -> reading(Map.of("max.poll.records", 1)));
        for (String assignor : List.of("Range", "RoundRobin", "Sticky", "CooperativeSticky")) {
            check("two-members-" + assignor, () -> twoMembers(assignor));
        }
        check("both-protocols", () -> reading(Map.of("partition.assignment.strategy",
            "org.apache.kafka.clients.consumer.RangeAssignor,org.apache.kafka.clients.consumer.CooperativeStickyAssignor")));
        check("static-member-comes-back", JavaClients::staticMember);
        check("static-member-fenced", JavaClients::fenced);
        check("pattern", JavaClients::pattern);
        check("commit-and-resume", JavaClients::commitAndResume);
        check("seek-times-and-ends", JavaClients::seeking);
        check("reset-none", JavaClients::resetNone);
        check("reset-by-duration", JavaClients::resetByDuration);
        check("headers-and-nulls", JavaClients::headers);
        check("too-large", JavaClients::tooLarge);
        check("compacted-without-key", JavaClients::compacted);
        check("append-time", JavaClients::appendTime);
        check("interleaved-producers", JavaClients::interleaved);
        check("admin-configs", JavaClients::configs);
        check("admin-cluster", JavaClients::cluster);
        check("admin-offsets", JavaClients::offsets);
        check("admin-groups", JavaClients::groups);
        check("admin-delete", JavaClients::deleting);
        check("admin-features", JavaClients::features);
        check("admin-reassign", JavaClients::reassign);
        check("streams-count", JavaClients::streams);
        System.exit(0);
    }

    static void check(String name, Body body) throws Exception {
        ExecutorService one = Executors.newSingleThreadExecutor();
        Future<?> done = one.submit(() -> { body.run(); return null; });
        try {
            done.get(40, TimeUnit.SECONDS);
            System.out.println(name + "\tPASSED");
        } catch (Exception error) {
            done.cancel(true);
            System.out.println(name + "\tFAILED");
            System.err.println("== " + name);
            error.printStackTrace();
        }
        System.out.flush();
        one.shutdownNow();
    }

    static void want(boolean held, String what) {
        if (!held) throw new AssertionError(what);
    }

    static String topic(int partitions, String... configs) throws Exception {
        Map<String, String> set = new HashMap<>();
        for (int at = 0; at < configs.length; at += 2) set.put(configs[at], configs[at + 1]);
        String name = "java-" + System.nanoTime() + "-" + count++;
        admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1).configs(set))).all().get();
        return name;
    }

    static KafkaProducer<String, String> producer(Map<String, Object> more) {
        Map<String, Object> set = new HashMap<>(Map.of("bootstrap.servers", server));
        set.putAll(more);
        return new KafkaProducer<>(set, new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(Map<String, Object> more) {
        Map<String, Object> set = new HashMap<>(Map.of("bootstrap.servers", server, "auto.offset.reset", "earliest"));
        set.putAll(more);
        return new KafkaConsumer<>(set, new StringDeserializer(), new StringDeserializer());
    }

    static void fill(String topic, int from, int to, Map<String, Object> more) throws Exception {
        try (var producer = producer(more)) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int number = from; number < to; number++) {
                sent.add(producer.send(new ProducerRecord<>(topic, "k" + number % 7, "value " + number)));
            }
            producer.flush();
            for (var one : sent) one.get();
        }
    }

    static List<ConsumerRecord<String, String>> drain(Consumer<String, String> consumer, int wanted) {
        List<ConsumerRecord<String, String>> seen = new ArrayList<>();
        long until = System.currentTimeMillis() + 30_000;
        while (seen.size() < wanted && System.currentTimeMillis() < until) {
            consumer.poll(Duration.ofMillis(200)).forEach(seen::add);
        }
        want(seen.size() == wanted, seen.size() + " of " + wanted + " records");
        return seen;
    }

    static List<TopicPartition> partitions(String topic, int count) {
        return IntStream.range(0, count).mapToObj(number -> new TopicPartition(topic, number)).collect(Collectors.toList());
    }

    static void whole(List<ConsumerRecord<String, String>> seen) {
        var values = seen.stream().map(ConsumerRecord::value).collect(Collectors.toSet());
        want(values.size() == seen.size(), "a record came twice");
        Map<String, Integer> last = new HashMap<>();
        for (var record : seen) {
            int number = Integer.parseInt(record.value().substring(6));
            Integer before = last.put(record.key(), number);
            want(before == null || before < number, "the order of a key is broken");
        }
    }

    static void roundTrip(Map<String, Object> settings) throws Exception {
        String topic = topic(3);
        fill(topic, 0, 500, settings);
        try (var consumer = consumer(Map.of())) {
            consumer.assign(partitions(topic, 3));
            whole(drain(consumer, 500));
        }
    }

    static void topicCodec(String codec) throws Exception {
        String topic = topic(1, "compression.type", codec);
        fill(topic, 0, 200, Map.of("compression.type", "gzip"));
        try (var consumer = consumer(Map.of())) {
            consumer.assign(partitions(topic, 1));
            whole(drain(consumer, 200));
        }
    }

    static void autoCreated() throws Exception {
        String topic = "java-auto-" + System.nanoTime();
        fill(topic, 0, 10, Map.of());
        try (var consumer = consumer(Map.of("group.id", topic))) {
            consumer.subscribe(List.of(topic));
            whole(drain(consumer, 10));
        }
    }

    static void reading(Map<String, Object> settings) throws Exception {
        String topic = topic(2);
        fill(topic, 0, 50, Map.of("batch.size", 0));
        Map<String, Object> all = new HashMap<>(settings);
        all.put("group.id", topic);
        try (var consumer = consumer(all)) {
            consumer.subscribe(List.of(topic));
            whole(drain(consumer, 50));
        }
    }

    static void twoMembers(String assignor) throws Exception {
        String topic = topic(4);
        Map<String, Object> settings = Map.of("group.id", topic, "client.id", "same",
            "partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor + "Assignor");
        try (var first = consumer(settings); var second = consumer(settings)) {
            first.subscribe(List.of(topic));
            second.subscribe(List.of(topic));
            long until = System.currentTimeMillis() + 30_000;
            while (first.assignment().size() != 2 || second.assignment().size() != 2) {
                want(System.currentTimeMillis() < until, first.assignment() + " and " + second.assignment());
                first.poll(Duration.ofMillis(100));
                second.poll(Duration.ofMillis(100));
            }
            var both = new HashSet<>(first.assignment());
            both.addAll(second.assignment());
            want(both.size() == 4, "a partition has two owners");
        }
    }

    static KafkaConsumer<String, String> named(String topic) {
        var consumer = consumer(Map.of("group.id", topic, "group.instance.id", "me", "session.timeout.ms", 10_000));
        consumer.subscribe(List.of(topic));
        return consumer;
    }

    static void staticMember() throws Exception {
        String topic = topic(2);
        fill(topic, 0, 20, Map.of());
        try (var first = named(topic)) {
            drain(first, 20);
            first.commitSync();
        }
        int generation;
        fill(topic, 20, 30, Map.of());
        try (var again = named(topic)) {
            drain(again, 10);
            generation = again.groupMetadata().generationId();
        }
        want(generation == 1, "the group rebalanced for a member that came back: generation " + generation);
    }

    static void fenced() throws Exception {
        String topic = topic(1);
        fill(topic, 0, 5, Map.of());
        try (var first = named(topic); var second = named(topic)) {
            drain(first, 5);
            long until = System.currentTimeMillis() + 30_000;
            while (second.assignment().isEmpty() && System.currentTimeMillis() < until) second.poll(Duration.ofMillis(100));
            try {
                while (System.currentTimeMillis() < until) {
                    first.poll(Duration.ofMillis(100));
                    first.commitSync();
                }
                want(false, "two members of one name");
            } catch (FencedInstanceIdException expected) {
                want(!second.assignment().isEmpty(), "the newer one has nothing");
            }
        }
    }

    static void pattern() throws Exception {
        String topic = topic(1);
        fill(topic, 0, 10, Map.of());
        try (var consumer = consumer(Map.of("group.id", topic, "metadata.max.age.ms", 500))) {
            consumer.subscribe(java.util.regex.Pattern.compile(topic + ".*"));
            drain(consumer, 10);
            String later = topic + "-later";
            admin.createTopics(List.of(new NewTopic(later, 1, (short) 1))).all().get();
            fill(later, 10, 20, Map.of());
            whole(drain(consumer, 10));
        }
    }

    static void commitAndResume() throws Exception {
        String topic = topic(1);
        fill(topic, 0, 100, Map.of());
        var partition = new TopicPartition(topic, 0);
        try (var consumer = consumer(Map.of("group.id", topic, "enable.auto.commit", false))) {
            consumer.subscribe(List.of(topic));
            var epoch = drain(consumer, 100).get(39).leaderEpoch();
            consumer.commitSync(Map.of(partition, new OffsetAndMetadata(40, epoch, "note")));
        }
        try (var consumer = consumer(Map.of("group.id", topic))) {
            want(consumer.committed(Set.of(partition)).get(partition).metadata().equals("note"), "the note is lost");
            consumer.subscribe(List.of(topic));
            want(drain(consumer, 60).get(0).offset() == 40, "not where it was committed");
        }
    }

    static void seeking() throws Exception {
        String topic = topic(1);
        var partition = new TopicPartition(topic, 0);
        try (var producer = producer(Map.of())) {
            for (int number = 0; number < 10; number++) {
                producer.send(new ProducerRecord<>(topic, 0, 1000L * number, "k", "v" + number)).get();
            }
        }
        try (var consumer = consumer(Map.of())) {
            consumer.assign(List.of(partition));
            want(consumer.beginningOffsets(List.of(partition)).get(partition) == 0, "beginning");
            want(consumer.endOffsets(List.of(partition)).get(partition) == 10, "end");
            want(consumer.offsetsForTimes(Map.of(partition, 3500L)).get(partition).offset() == 4, "by time");
            want(consumer.offsetsForTimes(Map.of(partition, 99999L)).get(partition) == null, "the future");
            consumer.seek(partition, 7);
            want(drain(consumer, 3).get(0).value().equals("v7"), "seek");
            consumer.seekToBeginning(List.of(partition));
            drain(consumer, 10);
            want(consumer.currentLag(partition).getAsLong() == 0, "lag");
            consumer.pause(List.of(partition));
            consumer.seek(partition, 0);
            want(consumer.poll(Duration.ofMillis(300)).isEmpty(), "paused");
        }
    }

    static void resetNone() throws Exception {
        String topic = topic(1);
        fill(topic, 0, 5, Map.of());
        var partition = new TopicPartition(topic, 0);
        try (var consumer = consumer(Map.of("auto.offset.reset", "none"))) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, 100);
            long until = System.currentTimeMillis() + 20_000;
            try {
                while (System.currentTimeMillis() < until) consumer.poll(Duration.ofMillis(100));
                want(false, "an offset beyond the end was taken");
            } catch (org.apache.kafka.clients.consumer.OffsetOutOfRangeException expected) {
                want(expected.offsetOutOfRangePartitions().containsKey(partition), "the partition");
            }
        }
    }

    static void resetByDuration() throws Exception {
        String topic = topic(1);
        try (var producer = producer(Map.of())) {
            producer.send(new ProducerRecord<>(topic, 0, 1000L, "k", "old")).get();
            producer.send(new ProducerRecord<>(topic, "k", "new")).get();
        }
        try (var consumer = consumer(Map.of("auto.offset.reset", "by_duration:PT1H", "group.id", topic))) {
            consumer.subscribe(List.of(topic));
            want(drain(consumer, 1).get(0).value().equals("new"), "only what is younger than an hour");
        }
    }

    static void headers() throws Exception {
        String topic = topic(1);
        try (var producer = producer(Map.of("compression.type", "lz4"))) {
            var record = new ProducerRecord<String, String>(topic, null, null, (String) null);
            record.headers().add("a", new byte[] {1}).add("a", new byte[] {2}).add(new RecordHeader("none", (byte[]) null));
            producer.send(record).get();
        }
        try (var consumer = consumer(Map.of())) {
            consumer.assign(partitions(topic, 1));
            var record = drain(consumer, 1).get(0);
            want(record.key() == null && record.value() == null, "nulls");
            var all = record.headers().toArray();
            want(all.length == 3 && all[0].value()[0] == 1 && all[1].value()[0] == 2 && all[2].value() == null, "headers");
        }
    }

    static <E extends Exception> void refused(Class<E> wanted, Future<?> future) throws Exception {
        try {
            future.get();
        } catch (ExecutionException error) {
            if (wanted.isInstance(error.getCause())) return;
            throw error;
        }
        want(false, wanted.getSimpleName() + " expected");
    }

    static void tooLarge() throws Exception {
        String topic = topic(1, "max.message.bytes", "1000");
        try (var producer = producer(Map.of())) {
            refused(RecordTooLargeException.class, producer.send(new ProducerRecord<>(topic, "k", "x".repeat(5000))));
            producer.send(new ProducerRecord<>(topic, "k", "small")).get();
        }
    }

    static void compacted() throws Exception {
        String topic = topic(1, "cleanup.policy", "compact");
        try (var producer = producer(Map.of())) {
            refused(InvalidRecordException.class, producer.send(new ProducerRecord<>(topic, null, "no key")));
            producer.send(new ProducerRecord<>(topic, "k", "v")).get();
        }
    }

    static void appendTime() throws Exception {
        String topic = topic(1, "message.timestamp.type", "LogAppendTime");
        long before = System.currentTimeMillis();
        try (var producer = producer(Map.of())) {
            long told = producer.send(new ProducerRecord<>(topic, 0, 5L, "k", "v")).get().timestamp();
            want(told >= before, "told " + told);
        }
        try (var consumer = consumer(Map.of())) {
            consumer.assign(partitions(topic, 1));
            want(drain(consumer, 1).get(0).timestamp() >= before, "stored");
        }
    }

    static void interleaved() throws Exception {
        String topic = topic(1);
        try (var one = producer(Map.of("batch.size", 200)); var two = producer(Map.of("batch.size", 200))) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (int number = 0; number < 2000; number++) {
                sent.add((number % 2 == 0 ? one : two).send(new ProducerRecord<>(topic, "k" + number % 2, "value " + number)));
            }
            one.flush();
            two.flush();
            Set<Long> offsets = new HashSet<>();
            for (var each : sent) want(offsets.add(each.get().offset()), "an offset twice");
        }
        try (var consumer = consumer(Map.of())) {
            consumer.assign(partitions(topic, 1));
            whole(drain(consumer, 2000));
        }
    }

    static void configs() throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic(1, "retention.ms", "12345"));
        var config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        want(config.get("retention.ms").value().equals("12345") && !config.get("retention.ms").isDefault(), "set");
        want(config.get("cleanup.policy").isDefault() && config.entries().size() > 25, "defaults");
        admin.incrementalAlterConfigs(Map.of(resource, List.of(
            new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.APPEND),
            new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE)))).all().get();
        config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        want(config.get("cleanup.policy").value().equals("delete,compact") && config.get("retention.ms").isDefault(), "changed");
        refused(InvalidConfigurationException.class, admin.incrementalAlterConfigs(Map.of(resource,
            List.of(new AlterConfigOp(new ConfigEntry("retention.ms", "soon"), AlterConfigOp.OpType.SET)))).all());
        want(admin.listConfigResources().all().get().contains(resource), "listed");
    }

    static void cluster() throws Exception {
        var cluster = admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true));
        want(cluster.nodes().get().size() == 1 && cluster.controller().get() != null, "nodes");
        want(cluster.clusterId().get().length() == 22, "id");
        String topic = topic(3);
        var told = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        want(told.partitions().size() == 3 && told.partitions().get(2).isr().size() == 1, "partitions");
        var byId = admin.describeTopics(TopicCollection.ofTopicIds(List.of(told.topicId()))).allTopicIds().get();
        want(byId.get(told.topicId()).name().equals(topic), "by id");
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
        refused(InvalidPartitionsException.class, admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all());
        refused(TopicExistsException.class, admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all());
        refused(InvalidReplicationFactorException.class, admin.createTopics(List.of(new NewTopic(topic + "-2", 1, (short) 3))).all());
        want(admin.listTopics().names().get().contains(topic), "listed");
        want(admin.describeLogDirs(List.of(0)).allDescriptions().get().get(0).size() == 1, "log dirs");
        want(admin.describeMetadataQuorum().quorumInfo().get().leaderId() == 0, "quorum");
        want(admin.listPartitionReassignments().reassignments().get().isEmpty(), "reassignments");
    }

    static void offsets() throws Exception {
        String topic = topic(1);
        fill(topic, 0, 30, Map.of());
        var partition = new TopicPartition(topic, 0);
        for (var asked : Map.of(OffsetSpec.earliest(), 0L, OffsetSpec.latest(), 30L, OffsetSpec.forTimestamp(0), 0L,
            OffsetSpec.latestTiered(), -1L, OffsetSpec.earliestLocal(), 0L).entrySet()) {
            long found = admin.listOffsets(Map.of(partition, asked.getKey())).partitionResult(partition).get().offset();
            want(found == asked.getValue(), asked.getKey().getClass() + ": " + found);
        }
        want(admin.listOffsets(Map.of(partition, OffsetSpec.maxTimestamp())).partitionResult(partition).get().offset() >= 0, "max timestamp");
        long low = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(10))).lowWatermarks().get(partition).get().lowWatermark();
        want(low == 10, "low watermark " + low);
        refused(org.apache.kafka.common.errors.OffsetOutOfRangeException.class, admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(99))).all());
    }

    static void groups() throws Exception {
        String topic = topic(1);
        fill(topic, 0, 5, Map.of());
        var partition = new TopicPartition(topic, 0);
        try (var consumer = consumer(Map.of("group.id", topic, "client.id", "me"))) {
            consumer.subscribe(List.of(topic));
            drain(consumer, 5);
            consumer.commitSync();
            var told = admin.describeClassicGroups(List.of(topic)).all().get().get(topic);
            want(told.members().size() == 1 && told.members().iterator().next().clientId().equals("me"), "member");
            want(told.members().iterator().next().assignment().topicPartitions().contains(partition), "assignment");
            refused(GroupNotEmptyException.class, admin.deleteConsumerGroups(List.of(topic)).all());
            refused(GroupSubscribedToTopicException.class, admin.deleteConsumerGroupOffsets(topic, Set.of(partition)).all());
        }
        want(admin.listGroups().all().get().stream().anyMatch(group -> group.groupId().equals(topic)), "listed");
        want(admin.listConsumerGroupOffsets(topic).partitionsToOffsetAndMetadata().get().get(partition).offset() == 5, "offset");
        admin.alterConsumerGroupOffsets(topic, Map.of(partition, new OffsetAndMetadata(2))).all().get();
        want(admin.listConsumerGroupOffsets(topic).partitionsToOffsetAndMetadata().get().get(partition).offset() == 2, "altered");
        admin.deleteConsumerGroups(List.of(topic)).all().get();
        refused(GroupIdNotFoundException.class, admin.deleteConsumerGroups(List.of(topic)).all());
    }

    static void deleting() throws Exception {
        String topic = topic(2);
        fill(topic, 0, 10, Map.of());
        admin.deleteTopics(List.of(topic)).all().get();
        refused(UnknownTopicOrPartitionException.class, admin.deleteTopics(List.of(topic)).all());
        admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
        fill(topic, 0, 3, Map.of());
        try (var consumer = consumer(Map.of())) {
            consumer.assign(partitions(topic, 1));
            drain(consumer, 3);
        }
    }

    static void features() throws Exception {
        var told = admin.describeFeatures().featureMetadata().get();
        want(told.finalizedFeatures().containsKey("metadata.version"), told.toString());
        want(told.finalizedFeaturesEpoch().isPresent(), "an epoch");
    }

    static void reassign() throws Exception {
        String topic = topic(1);
        var partition = new TopicPartition(topic, 0);
        admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(0))))).all().get();
        refused(InvalidReplicaAssignmentException.class,
            admin.alterPartitionReassignments(Map.of(partition, Optional.of(new NewPartitionReassignment(List.of(7))))).all());
        refused(NoReassignmentInProgressException.class, admin.alterPartitionReassignments(Map.of(partition, Optional.empty())).all());
        refused(ElectionNotNeededException.class, admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).partitions()
            .thenApply(results -> { results.get(partition).ifPresent(error -> { throw (RuntimeException) error; }); return null; }).toCompletionStage().toCompletableFuture());
    }

    // Kafka Streams: a repartition topic, a changelog, and records deleted from the former once they are used.
    static void streams() throws Exception {
        String in = topic(2), out = topic(1);
        var builder = new org.apache.kafka.streams.StreamsBuilder();
        builder.<String, String>stream(in).groupBy((key, value) -> value.substring(value.length() - 1)).count()
            .toStream().mapValues(count -> Long.toString(count)).to(out);
        var settings = new Properties();
        settings.putAll(Map.of("application.id", in, "bootstrap.servers", server, "commit.interval.ms", 200,
            "state.dir", java.nio.file.Files.createTempDirectory("streams").toString(),
            "default.key.serde", Serdes.StringSerde.class.getName(), "default.value.serde", Serdes.StringSerde.class.getName(),
            "repartition.purge.interval.ms", 200, "auto.offset.reset", "earliest"));
        fill(in, 0, 100, Map.of());
        try (var streams = new org.apache.kafka.streams.KafkaStreams(builder.build(), settings);
             var consumer = consumer(Map.of("group.id", out))) {
            streams.start();
            consumer.subscribe(List.of(out));
            Map<String, String> counts = new HashMap<>();
            long until = System.currentTimeMillis() + 30_000;
            while (System.currentTimeMillis() < until && (counts.size() < 10 || !counts.values().stream().allMatch("10"::equals))) {
                consumer.poll(Duration.ofMillis(200)).forEach(record -> counts.put(record.key(), record.value()));
            }
            want(counts.size() == 10 && counts.values().stream().allMatch("10"::equals), counts.toString());
            String repartition = admin.listTopics().names().get().stream().filter(name -> name.startsWith(in) && name.endsWith("-repartition")).findFirst().get();
            var partitions = partitions(repartition, 2);
            while (partitions.stream().anyMatch(partition -> consumer.beginningOffsets(List.of(partition)).get(partition)
                < consumer.endOffsets(List.of(partition)).get(partition))) {
                want(System.currentTimeMillis() < until, "used records stay in " + repartition);
                Thread.sleep(100);
            }
        }
    }
}
