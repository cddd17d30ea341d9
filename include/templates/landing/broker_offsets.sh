# What the broker keeps of each partition: lines "earliest topic:partition:offset" and "latest topic:partition:offset",
# of those topics that exist. Takes BOOTSTRAP_SERVERS and TOPICS (separated by blanks).
set -euo pipefail
export KAFKA_HEAP_OPTS="${KAFKA_HEAP_OPTS:--Xmx256m}"

for which in earliest latest; do
  "$HOME/kafka/bin/kafka-get-offsets.sh" --bootstrap-server "$BOOTSTRAP_SERVERS" \
    --command-config "$HOME/kafka/bin/client.properties" --time "$which" \
    --topic "$(echo "$TOPICS" | sed 's/\./\\./g; s/ /|/g')" |
    sed -n "s/^\([^[:space:]]*:[0-9]*:[0-9]*\)\$/$which \1/p"
done
