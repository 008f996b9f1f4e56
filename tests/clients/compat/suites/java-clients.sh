# Apache Kafka's Java client itself, with settings that few people set. The checks are ours.
settings=(num.partitions=3 auto.create.topics.enable=true)
rerun=""

fetch() {
  libs=$(jars)
  need javac default-jdk-headless
}

run() {
  timeout 900 java -Xmx384M -XX:+UseSerialGC -cp "$libs/*" "$here/java-clients.java" "$1" 2> "$2.log" | grep -P '^\S+\t(PASSED|FAILED)$' > "$2.tsv" || true
  python3 "$here/report.py" merge "$2.tsv" "$2.tsv"
}
