# Waits until the connector's tasks read. RUNNING only means that its workers are up; its tasks read once consumers of
# its group own every partition of the topics. Takes BOOTSTRAP_SERVERS, GROUP, TOPICS (separated by spaces) and
# WAIT_SECONDS.
set -euo pipefail
{% include 'kafka_client/tools.sh' %}

describe_group() {
  kafka consumer-groups --describe --group "$GROUP" 2>&1 || true
}

# Prints "topic owned" or "topic orphan" for each partition.
partitions() {
  awk '$1 == "GROUP" { for (i = 1; i <= NF; i++) column[$i] = i; next }
       ("CONSUMER-ID" in column) && NF { print $column["TOPIC"], ($column["CONSUMER-ID"] == "-" ? "orphan" : "owned") }'
}

deadline=$(($(date +%s) + WAIT_SECONDS))
while :; do
  described=$(describe_group)
  seen=$(echo "$described" | partitions)
  missing=
  for topic in $TOPICS; do
    if ! echo "$seen" | grep -qxF "$topic owned" || echo "$seen" | grep -qxF "$topic orphan"; then
      missing="$missing $topic"
    fi
  done
  if [ -z "$missing" ]; then
    echo "Every partition of $TOPICS is read by group $GROUP" >&2
    echo unchanged
    exit 0
  fi
  if [ "$(date +%s)" -ge "$deadline" ]; then
    echo "$described" | tail -n 5 >&2
    echo "After $WAIT_SECONDS s no task of the connector reads$missing (consumer group $GROUP); the connector's state and log say why" >&2
    exit 1
  fi
  sleep 3
done
