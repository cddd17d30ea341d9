# The ids that Kafka gave to topics: lines "topic <name> <id>", of those topics that exist. A topic that was deleted and
# made again has another id. Takes BOOTSTRAP_SERVERS and TOPICS (separated by spaces).
set -euo pipefail
export KAFKA_HEAP_OPTS="${KAFKA_HEAP_OPTS:--Xmx256m}"

"$HOME/kafka/bin/kafka-topics.sh" --bootstrap-server "$BOOTSTRAP_SERVERS" \
  --command-config "$HOME/kafka/bin/client.properties" --describe --if-exists \
  --topic "$(echo "$TOPICS" | sed 's/\./\\./g; s/ /|/g')" |
  sed -n 's/^Topic: *\([^[:space:]]*\).*TopicId: *\([^[:space:]]*\).*/topic \1 \2/p'
