# Kafka's tools, asked of the brokers in BOOTSTRAP_SERVERS.
export KAFKA_HEAP_OPTS="${KAFKA_HEAP_OPTS:--Xmx256m}"

# kafka TOOL ARGUMENTS…: runs kafka-TOOL.sh.
kafka() {
  local tool=$1
  shift
  "$HOME/kafka/bin/kafka-$tool.sh" --bootstrap-server "$BOOTSTRAP_SERVERS" \
    --command-config "$HOME/kafka/bin/client.properties" "$@"
}

# pattern TOPICS: the tools take a regular expression; prints the one that matches these names, separated by spaces.
pattern() {
  printf '%s\n' "$1" | sed 's/\./\\./g; s/ /|/g'
}

# reset_offsets GROUP LOG ARGUMENTS…: prints a line "topic partition offset" for each offset of the group that was set.
# The tool exits with 0 whether or not it set any, so its table is read: GROUP TOPIC PARTITION NEW-OFFSET. All that it
# says is in LOG.
reset_offsets() {
  local group=$1 log=$2
  shift 2
  kafka consumer-groups --group "$group" --reset-offsets "$@" --execute >"$log" 2>&1 || true
  awk -v group="$group" '$1 == group && NF == 4 { print $2, $3, $4 }' "$log"
}
