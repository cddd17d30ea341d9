# Takes BOOTSTRAP_SERVERS, TOPICS (separated by spaces), DEAD_LETTER_TOPIC, PARTITIONS, REPLICATION_FACTOR (empty to
# leave it to the cluster) and LARGEST_DEAD_LETTER.
# An existing topic is left alone, whatever its number of partitions.
# A dead letter holds the record plus headers with a stack trace, so its topic accepts more than Kafka's usual 1 MiB.
set -euo pipefail
{% include 'kafka_client/tools.sh' %}

# Prints "topic partitions" for each wanted topic that exists.
existing() {
  kafka topics --describe --if-exists --topic "$(pattern "$TOPICS $DEAD_LETTER_TOPIC")" |
    sed -n 's/^Topic: *\([^[:space:]]*\).*PartitionCount: *\([0-9]*\).*/\1 \2/p'
}

found=$(existing)
created=
for topic in $TOPICS $DEAD_LETTER_TOPIC; do
  count=$(echo "$found" | awk -v topic="$topic" '$1 == topic { print $2 }')
  wanted=$PARTITIONS
  config=
  if [ "$topic" = "$DEAD_LETTER_TOPIC" ]; then
    wanted=1
    config=max.message.bytes=$LARGEST_DEAD_LETTER
  fi
  if [ -n "$count" ]; then
    echo "$topic: adopted, partitions: $count"
    continue
  fi
  kafka topics --create --if-not-exists --topic "$topic" --partitions "$wanted" \
    ${REPLICATION_FACTOR:+--replication-factor "$REPLICATION_FACTOR"} ${config:+--config "$config"} >&2
  echo "$topic: created, partitions: $wanted"
  created="$created $topic"
done

if [ -n "$created" ]; then echo "changed: created$created"; else echo unchanged; fi
