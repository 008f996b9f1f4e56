package millrace;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.SessionStore;
import org.apache.kafka.streams.state.WindowStore;

/**
 * One workload as a Kafka Streams program over a topic that is there already.
 *
 * <p>Prints a line "mark RECORDS NANOS_OF_CPU" whenever it has read as many records as it was told to mark, and ends when it is told to
 * on its standard input. Arguments: bootstrap, application id, workload, input topic, output topic, cache bytes, marks (a,b,..).
 */
public final class Workload {
  private static final Duration GRACE = Duration.ofDays(1);

  /** The fields that the workloads read; Jackson passes over the others. */
  @com.fasterxml.jackson.annotation.JsonIgnoreProperties(ignoreUnknown = true)
  public static final class Order {
    @com.fasterxml.jackson.annotation.JsonProperty("ID")
    public long id;

    @com.fasterxml.jackson.annotation.JsonProperty("AMOUNT")
    public double amount;

    @com.fasterxml.jackson.annotation.JsonProperty("CITY")
    public String city;
  }

  private static final ObjectReader ORDER = new ObjectMapper().readerFor(Order.class);

  private final AtomicLong seen = new AtomicLong();
  private final long[] marks;
  private int reached;

  private Workload(long[] marks) {
    this.marks = marks;
  }

  public static void main(String[] args) throws Exception {
    String[] texts = args[6].split(",");
    long[] marks = new long[texts.length];
    for (int i = 0; i < texts.length; i++) {
      marks[i] = Long.parseLong(texts[i]);
    }
    Properties config = new Properties();
    config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    config.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
    config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, System.getProperty("guarantee", StreamsConfig.EXACTLY_ONCE_V2));
    config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
    config.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, Long.parseLong(args[5]));
    config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Integer.getInteger("threads", 1));
    config.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    config.put(StreamsConfig.STATE_DIR_CONFIG, System.getProperty("state.dir"));
    config.put("auto.offset.reset", "earliest");
    config.put("max.poll.records", 5000);
    KafkaStreams streams = new KafkaStreams(new Workload(marks).topology(args[2], args[3], args[4]).build(), config);
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          Runtime.getRuntime().halt(1);
          return null;
        });
    streams.start();
    while (System.in.read() >= 0) {
      // The driver closes the pipe when it has seen enough.
    }
    streams.close(Duration.ofSeconds(30));
  }

  private StreamsBuilder topology(String workload, String input, String output) {
    StreamsBuilder builder = new StreamsBuilder();
    if (workload.equals("latest")) {
      // The table itself is the result; records are counted as they become rows.
      builder.table(input, bytes(), Materialized.<Bytes, Bytes, KeyValueStore<Bytes, byte[]>>as("latest").withKeySerde(Serdes.Bytes()).withValueSerde(Serdes.Bytes()))
          .toStream().foreach((key, value) -> count());
      return builder;
    }
    KStream<Bytes, Bytes> source = builder.stream(input, bytes());
    KStream<Bytes, Bytes> counted = source.peek((key, value) -> count());
    switch (workload) {
      case "pass":
        counted.mapValues(Workload::read).filter((key, order) -> order != null && order.amount > 10)
            .mapValues(order -> text("{\"ID\":" + order.id + ",\"AMOUNT\":" + order.amount + "}")).to(output, Produced.with(Serdes.Bytes(), Serdes.Bytes()));
        break;
      case "count":
        KTable<Bytes, Long> counts = counted.groupByKey(Grouped.with(Serdes.Bytes(), Serdes.Bytes()))
            .count(Materialized.<Bytes, Long, KeyValueStore<Bytes, byte[]>>as("counts").withKeySerde(Serdes.Bytes()).withValueSerde(Serdes.Long()));
        counts.toStream().mapValues(Workload::total).to(output, Produced.with(Serdes.Bytes(), Serdes.Bytes()));
        break;
      case "tumbling":
        windowed(counted, TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), GRACE), output);
        break;
      case "hopping":
        windowed(counted, TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), GRACE).advanceBy(Duration.ofSeconds(1)), output);
        break;
      case "session":
        counted.groupByKey(Grouped.with(Serdes.Bytes(), Serdes.Bytes())).windowedBy(SessionWindows.ofInactivityGapAndGrace(Duration.ofSeconds(10), GRACE))
            .count(Materialized.<Bytes, Long, SessionStore<Bytes, byte[]>>as("sessions").withKeySerde(Serdes.Bytes()).withValueSerde(Serdes.Long()))
            .toStream().map((key, count) -> KeyValue.pair(named(key), count == null ? null : total(count))).to(output, Produced.with(Serdes.Bytes(), Serdes.Bytes()));
        break;
      case "join":
        KTable<Bytes, Bytes> users = builder.table(input + "-users", bytes(),
            Materialized.<Bytes, Bytes, KeyValueStore<Bytes, byte[]>>as("users").withKeySerde(Serdes.Bytes()).withValueSerde(Serdes.Bytes()));
        counted.mapValues(Workload::read).filter((key, order) -> order != null)
            .join(users, (order, user) -> text("{\"ID\":" + order.id + ",\"CITY\":\"" + readQuietly(user).city + "\"}"))
            .to(output, Produced.with(Serdes.Bytes(), Serdes.Bytes()));
        break;
      default:
        throw new IllegalArgumentException("no workload " + workload);
    }
    return builder;
  }

  private static void windowed(KStream<Bytes, Bytes> source, TimeWindows windows, String output) {
    source.groupByKey(Grouped.with(Serdes.Bytes(), Serdes.Bytes())).windowedBy(windows)
        .count(Materialized.<Bytes, Long, WindowStore<Bytes, byte[]>>as("windows").withKeySerde(Serdes.Bytes()).withValueSerde(Serdes.Long()))
        .toStream().map((key, count) -> KeyValue.pair(named(key), total(count))).to(output, Produced.with(Serdes.Bytes(), Serdes.Bytes()));
  }

  private static Consumed<Bytes, Bytes> bytes() {
    return Consumed.with(Serdes.Bytes(), Serdes.Bytes());
  }

  private static Order read(Bytes value) {
    try {
      return ORDER.readValue(value.get());
    } catch (java.io.IOException unreadable) {
      return null;
    }
  }

  private static Order readQuietly(Bytes value) {
    Order order = read(value);
    return order == null ? new Order() : order;
  }

  private static Bytes text(String text) {
    return Bytes.wrap(text.getBytes(StandardCharsets.UTF_8));
  }

  private static Bytes total(long count) {
    return text("{\"C\":" + count + "}");
  }

  /** The key, then the window's start (8 bytes): enough to tell the windows of a key apart. */
  private static Bytes named(Windowed<Bytes> key) {
    byte[] plain = key.key().get();
    return Bytes.wrap(java.nio.ByteBuffer.allocate(plain.length + 8).put(plain).putLong(key.window().start()).array());
  }

  private synchronized void count() {
    long now = seen.incrementAndGet();
    if (reached < marks.length && now == marks[reached]) {
      reached++;
      var system = (com.sun.management.OperatingSystemMXBean) java.lang.management.ManagementFactory.getOperatingSystemMXBean();
      System.out.println("mark " + now + " " + system.getProcessCpuTime());
      System.out.flush();
    }
  }
}
