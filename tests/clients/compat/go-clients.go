// Sarama at versions that it was pinned to over the years, and segmentio's kafka-go: `go-clients HOST:PORT` prints
// `name<TAB>PASSED|FAILED` per check, reasons on stderr. Neither negotiates as the Java client does: Sarama speaks
// what its configured version allows. Compat: V9, V11, M1, P7.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/segmentio/kafka-go"
)

var (
	server string
	count  int
)

func fresh(what string) string {
	count++
	return fmt.Sprintf("%s-%d-%d", what, time.Now().UnixNano(), count)
}

func check(name string, body func() error) {
	done := make(chan error, 1)
	go func() { done <- body() }()
	var err error
	select {
	case err = <-done:
	case <-time.After(60 * time.Second):
		err = errors.New("a minute is over")
	}
	if err != nil {
		fmt.Printf("%s\tFAILED\n", name)
		fmt.Fprintf(os.Stderr, "== %s\n%v\n", name, err)
		return
	}
	fmt.Printf("%s\tPASSED\n", name)
}

func main() {
	server = os.Args[1]
	sarama.Logger = log.New(io.Discard, "", 0)
	versions := []sarama.KafkaVersion{
		sarama.V0_11_0_0, sarama.V1_0_0_0, sarama.V2_1_0_0, sarama.V2_8_0_0, sarama.V3_6_0_0, sarama.V4_0_0_0,
	}
	for _, version := range versions {
		name := func(what string) string { return "sarama-" + version.String() + "-" + what }
		check(name("produce-consume"), func() error { return roundTrip(version, sarama.CompressionNone, false) })
		check(name("group"), func() error { return group(version) })
		// Kafka 4 has no DescribeConfigs v0 any more, and neither have we.
		if version.IsAtLeast(sarama.V1_1_0_0) {
			check(name("admin"), func() error { return admin(version) })
		}
		check(name("idempotent"), func() error { return roundTrip(version, sarama.CompressionNone, true) })
		check(name("times"), func() error { return times(version) })
	}
	codecs := map[string]sarama.CompressionCodec{
		"gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
	}
	for codec, number := range codecs {
		check("sarama-"+codec, func() error { return roundTrip(sarama.V2_8_0_0, number, false) })
	}
	check("kafka-go-produce-consume", func() error { return segmentRoundTrip(0) })
	for codec, number := range map[string]kafka.Compression{"gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd} {
		check("kafka-go-"+codec, func() error { return segmentRoundTrip(number) })
	}
	check("kafka-go-auto-created", segmentAutoCreated)
	check("kafka-go-group", segmentGroup)
	check("kafka-go-client", segmentClient)
}

func config(version sarama.KafkaVersion) *sarama.Config {
	config := sarama.NewConfig()
	config.Version = version
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	return config
}

func create(partitions int32) (string, error) {
	admin, err := sarama.NewClusterAdmin([]string{server}, config(sarama.V2_8_0_0))
	if err != nil {
		return "", err
	}
	defer admin.Close()
	topic := fresh("go")
	return topic, admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false)
}

func produce(topic string, config *sarama.Config, messages int) error {
	producer, err := sarama.NewSyncProducer([]string{server}, config)
	if err != nil {
		return err
	}
	defer producer.Close()
	batch := make([]*sarama.ProducerMessage, messages)
	for at := range batch {
		batch[at] = &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder(fmt.Sprint(at)), Value: sarama.StringEncoder(fmt.Sprintf("value %d", at))}
	}
	return producer.SendMessages(batch)
}

func roundTrip(version sarama.KafkaVersion, codec sarama.CompressionCodec, idempotent bool) error {
	topic, err := create(1)
	if err != nil {
		return err
	}
	config := config(version)
	config.Producer.Compression = codec
	if idempotent {
		config.Producer.Idempotent = true
		config.Net.MaxOpenRequests = 1
	}
	if err := produce(topic, config, 200); err != nil {
		return err
	}
	consumer, err := sarama.NewConsumer([]string{server}, config)
	if err != nil {
		return err
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		return err
	}
	defer partition.Close()
	for at := 0; at < 200; at++ {
		select {
		case message := <-partition.Messages():
			if message.Offset != int64(at) || string(message.Value) != fmt.Sprintf("value %d", at) {
				return fmt.Errorf("%q at %d", message.Value, message.Offset)
			}
		case <-time.After(20 * time.Second):
			return fmt.Errorf("%d of 200", at)
		}
	}
	return nil
}

type member struct {
	seen chan *sarama.ConsumerMessage
}

func (member) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (member) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (m member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		session.MarkMessage(message, "seen")
		m.seen <- message
	}
	return nil
}

func group(version sarama.KafkaVersion) error {
	topic, err := create(3)
	if err != nil {
		return err
	}
	config := config(version)
	if err := produce(topic, config, 90); err != nil {
		return err
	}
	seen := make(chan *sarama.ConsumerMessage, 200)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	failed := make(chan error, 2)
	for range 2 {
		group, err := sarama.NewConsumerGroup([]string{server}, topic, config)
		if err != nil {
			return err
		}
		defer group.Close()
		go func() {
			for ctx.Err() == nil {
				if err := group.Consume(ctx, []string{topic}, member{seen}); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	places := map[string]bool{}
	for len(places) < 90 {
		select {
		case message := <-seen:
			places[fmt.Sprintf("%d/%d", message.Partition, message.Offset)] = true
		case err := <-failed:
			return err
		case <-time.After(30 * time.Second):
			return fmt.Errorf("%d of 90", len(places))
		}
	}
	return nil
}

func admin(version sarama.KafkaVersion) error {
	admin, err := sarama.NewClusterAdmin([]string{server}, config(version))
	if err != nil {
		return err
	}
	defer admin.Close()
	topic := fresh("admin")
	if err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1}, false); err != nil {
		return err
	}
	told, err := admin.DescribeTopics([]string{topic})
	if err != nil || len(told) != 1 || len(told[0].Partitions) != 2 {
		return fmt.Errorf("described as %v: %v", told, err)
	}
	entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic})
	if err != nil || len(entries) < 20 {
		return fmt.Errorf("%d configs: %v", len(entries), err)
	}
	if err := admin.CreatePartitions(topic, 4, nil, false); err != nil {
		return err
	}
	if _, err := admin.ListConsumerGroups(); err != nil {
		return err
	}
	return admin.DeleteTopic(topic)
}

// Sarama leaves a batch's greatest timestamp unset; the broker fills it in.
func times(version sarama.KafkaVersion) error {
	topic, err := create(1)
	if err != nil {
		return err
	}
	if err := produce(topic, config(version), 3); err != nil {
		return err
	}
	client, err := sarama.NewClient([]string{server}, config(version))
	if err != nil {
		return err
	}
	defer client.Close()
	now := time.Now().UnixMilli()
	for asked, wanted := range map[int64]int64{sarama.OffsetOldest: 0, sarama.OffsetNewest: 3, now - 60_000: 0, now + 60_000: -1} {
		found, err := client.GetOffset(topic, 0, asked)
		if err != nil || found != wanted {
			return fmt.Errorf("%d for %d: %v", found, asked, err)
		}
	}
	return nil
}

func segmentMessages() []kafka.Message {
	messages := make([]kafka.Message, 200)
	for at := range messages {
		messages[at] = kafka.Message{Key: []byte(fmt.Sprint(at)), Value: []byte(fmt.Sprintf("value %d", at)), Headers: []kafka.Header{{Key: "h", Value: []byte("v")}}}
	}
	return messages
}

func segmentRead(topic, group string, wanted int) error {
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{server}, Topic: topic, GroupID: group, StartOffset: kafka.FirstOffset, MaxWait: 500 * time.Millisecond})
	defer reader.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	for at := range wanted {
		message, err := reader.ReadMessage(ctx)
		if err != nil {
			return fmt.Errorf("after %d: %w", at, err)
		}
		if !strings.HasPrefix(string(message.Value), "value ") {
			return fmt.Errorf("read %q", message.Value)
		}
	}
	return nil
}

func segmentRoundTrip(codec kafka.Compression) error {
	topic, err := create(1)
	if err != nil {
		return err
	}
	writer := &kafka.Writer{Addr: kafka.TCP(server), Transport: &kafka.Transport{}, Topic: topic, Compression: codec, RequiredAcks: kafka.RequireAll, BatchTimeout: 10 * time.Millisecond}
	defer writer.Close()
	if err := writer.WriteMessages(context.Background(), segmentMessages()...); err != nil {
		return err
	}
	return segmentRead(topic, "", 200)
}

func segmentAutoCreated() error {
	topic := fresh("go-auto")
	writer := &kafka.Writer{Addr: kafka.TCP(server), Transport: &kafka.Transport{}, Topic: topic, AllowAutoTopicCreation: true, BatchTimeout: 10 * time.Millisecond}
	defer writer.Close()
	var err error
	// Its documentation says to try again while the topic is being made.
	for range 10 {
		if err = writer.WriteMessages(context.Background(), segmentMessages()...); !errors.Is(err, kafka.LeaderNotAvailable) && !errors.Is(err, kafka.UnknownTopicOrPartition) {
			break
		}
		time.Sleep(250 * time.Millisecond)
	}
	if err != nil {
		return err
	}
	return segmentRead(topic, topic, 200)
}

func segmentGroup() error {
	topic, err := create(3)
	if err != nil {
		return err
	}
	writer := &kafka.Writer{Addr: kafka.TCP(server), Transport: &kafka.Transport{}, Topic: topic, Balancer: &kafka.Hash{}, BatchTimeout: 10 * time.Millisecond}
	defer writer.Close()
	if err := writer.WriteMessages(context.Background(), segmentMessages()...); err != nil {
		return err
	}
	if err := segmentRead(topic, topic, 150); err != nil {
		return err
	}
	return segmentRead(topic, topic, 50)
}

func segmentClient() error {
	topic, err := create(2)
	if err != nil {
		return err
	}
	client := &kafka.Client{Addr: kafka.TCP(server), Transport: &kafka.Transport{}, Timeout: 10 * time.Second}
	ctx := context.Background()
	metadata, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil || len(metadata.Topics[0].Partitions) != 2 {
		return fmt.Errorf("metadata: %v %v", metadata, err)
	}
	offsets, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {kafka.FirstOffsetOf(0), kafka.LastOffsetOf(1)}}})
	if err != nil || offsets.Topics[topic][0].Error != nil {
		return fmt.Errorf("offsets: %v %v", offsets, err)
	}
	configs, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic}}})
	if err != nil || len(configs.Resources[0].ConfigEntries) < 20 {
		return fmt.Errorf("configs: %v", err)
	}
	if _, err := client.ApiVersions(ctx, &kafka.ApiVersionsRequest{}); err != nil {
		return err
	}
	deleted, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err != nil {
		return err
	}
	return deleted.Errors[topic]
}
