# A consumer group reads an interval of every partition, and only counts leave this machine. Prints
#   seen <topic> <partition> <records> <first offset> <last offset> <repeats>
#   committed <topic> <partition> <offset>
# The group is first set to the start of the interval, so a second run counts the same.
# Takes BOOTSTRAP_SERVERS, GROUP, INTERVAL (lines "topic,partition,from,to"), IDLE_SECONDS and BUSY_SECONDS.
set -euo pipefail
export KAFKA_HEAP_OPTS="${KAFKA_HEAP_OPTS:--Xmx256m}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

groups() {
  "$HOME/kafka/bin/kafka-consumer-groups.sh" --bootstrap-server "$BOOTSTRAP_SERVERS" \
    --command-config "$HOME/kafka/bin/client.properties" --group "$GROUP" "$@"
}

printf '%s\n' "$INTERVAL" >"$work/interval"
cut -d, -f1-3 "$work/interval" >"$work/start"
partitions=$(wc -l <"$work/interval")

# Offsets can be set only while nobody of the group is connected: a consumer that was killed leaves after its timeout.
deadline=$(($(date +%s) + BUSY_SECONDS))
until
  groups --reset-offsets --from-file "$work/start" --execute >"$work/reset" 2>&1 || true
  [ "$(awk -v group="$GROUP" '$1 == group && NF == 4' "$work/reset" | wc -l)" -eq "$partitions" ]
do
  if [ "$(date +%s)" -ge "$deadline" ]; then
    echo "Consumer group $GROUP could not be set to the start of the interval within $BUSY_SECONDS s:" >&2
    tail -n 15 "$work/reset" >&2
    exit 1
  fi
  sleep 2
done

# Reads until the group has seen all of the topic's interval, or nothing came for IDLE_SECONDS.
# shellcheck disable=SC2013  # a topic's name holds no blanks
for topic in $(cut -d, -f1 "$work/interval" | sort -u); do
  left=$(awk -F, -v topic="$topic" '$1 == topic { sum += $4 - $3 } END { print sum + 0 }' "$work/interval")
  while [ "$left" -gt 0 ]; do
    "$HOME/kafka/bin/kafka-console-consumer.sh" --bootstrap-server "$BOOTSTRAP_SERVERS" \
      --command-config "$HOME/kafka/bin/client.properties" --group "$GROUP" --topic "$topic" --from-beginning \
      --max-messages "$left" --timeout-ms "$((IDLE_SECONDS * 1000))" \
      --formatter-property print.value=false --formatter-property print.key=false \
      --formatter-property print.partition=true --formatter-property print.offset=true 2>"$work/consumer" |
      awk -F, -v topic="$topic" '
        FNR == NR { if ($1 == topic) { from[$2] = $3; to[$2] = $4 }; next }
        {
          split($0, part, /[^0-9]+/); partition = part[2]; offset = part[3] + 0; read++
          if (!(partition in to) || offset < from[partition] || offset >= to[partition]) next
          if (partition in last && offset <= last[partition]) { repeats[partition]++; next }
          if (!(partition in first)) first[partition] = offset
          last[partition] = offset; seen[partition]++
        }
        END {
          for (partition in seen)
            print "seen", topic, partition, seen[partition], first[partition], last[partition], repeats[partition] + 0
          print "read", topic, read + 0
        }' "$work/interval" - >"$work/counts" || {
      cat "$work/consumer" >&2
      exit 1
    }
    grep '^seen ' "$work/counts" || true
    left=$((left - $(awk '$1 == "seen" { sum += $4 } END { print sum + 0 }' "$work/counts")))
    if [ "$left" -gt 0 ] && grep -q '^read .* 0$' "$work/counts"; then
      echo "$topic: nothing came for $IDLE_SECONDS s, $left records not seen" >&2
      tail -n 5 "$work/consumer" >&2
      break
    fi
  done
done

groups --describe 2>/dev/null | awk -v group="$GROUP" '$1 == group && $4 ~ /^[0-9]+$/ { print "committed", $2, $3, $4 }'
