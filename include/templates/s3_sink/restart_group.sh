# Sets the sink's consumer group to the beginning of topics, so that the next connector writes them again.
# The connector must have been deleted; its last workers are members of the group until they have left it.
# Takes BOOTSTRAP_SERVERS, GROUP, TOPICS (separated by spaces) and WAIT_SECONDS.
set -euo pipefail
export KAFKA_HEAP_OPTS="${KAFKA_HEAP_OPTS:--Xmx256m}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The tool exits with 0 whether or not it set the offsets, so its table is counted: GROUP TOPIC PARTITION NEW-OFFSET.
read -ra topics <<<"$TOPICS"
restart() {
  "$HOME/kafka/bin/kafka-consumer-groups.sh" --bootstrap-server "$BOOTSTRAP_SERVERS" \
    --command-config "$HOME/kafka/bin/client.properties" --group "$GROUP" \
    --reset-offsets --to-earliest "${topics[@]/#/--topic=}" --execute >"$work/set" 2>&1 || true
  for topic in "${topics[@]}"; do
    awk -v group="$GROUP" -v topic="$topic" '$1 == group && $2 == topic && NF == 4 { found = 1 } END { exit !found }' \
      "$work/set" || return 1
  done
}

deadline=$(($(date +%s) + WAIT_SECONDS))
until restart; do
  if [ "$(date +%s)" -ge "$deadline" ]; then
    echo "Consumer group $GROUP could not be set to the beginning of $TOPICS within $WAIT_SECONDS s:" >&2
    tail -n 15 "$work/set" >&2
    exit 1
  fi
  sleep 2
done
echo "changed: group $GROUP"
