# One round of a consumer group that this run has to itself. It reads committed records only, and prints what was read,
# in order, and how far the group has got:
#   read <topic> <partition> <first offset> <last offset>
#   committed <topic> <partition> <offset>
# A "read" line stands for consecutive offsets; a gap or a repeat starts another line. Only these lines leave the
# machine, not the records. A group that has got to the end is deleted.
# Takes BOOTSTRAP_SERVERS, GROUP, START (lines "topic,partition,offset" to set the group to first; empty: it goes on
# where it is), STOP (lines "topic partition offset": the end), READ (lines "topic records") and IDLE_SECONDS (for the
# next record).
set -euo pipefail
{% include 'kafka_client/tools.sh' %}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ -n "$START" ]; then
  printf '%s\n' "$START" >"$work/start"
  reset_offsets "$GROUP" "$work/said" --from-file "$work/start" >"$work/set"
  if [ "$(wc -l <"$work/set")" -ne "$(wc -l <"$work/start")" ]; then
    echo "Consumer group $GROUP could not be set to the start of the interval:" >&2
    tail -n 15 "$work/said" >&2
    exit 1
  fi
fi

# The consumer prints lines "Partition:0<tab>Offset:12"; log messages may be among them.
while read -r topic records; do
  [ -n "$topic" ] || continue
  kafka console-consumer --group "$GROUP" --topic "$topic" --from-beginning \
    --isolation-level read_committed --max-messages "$records" --timeout-ms "$((IDLE_SECONDS * 1000))" \
    --formatter-property print.value=false --formatter-property print.key=false \
    --formatter-property print.partition=true --formatter-property print.offset=true \
    2>"$work/consumer" </dev/null |
    awk -F'[^0-9]+' -v topic="$topic" '
      !/^Partition:[0-9]+\tOffset:[0-9]+$/ { next }
      ($2 in last) && $3 == last[$2] + 1 { last[$2] = $3; next }
      ($2 in last) { print "read", topic, $2, first[$2], last[$2] }
      { first[$2] = last[$2] = $3 }
      END { for (partition in last) print "read", topic, partition, first[partition], last[partition] }' \
      >"$work/read" || {
    cat "$work/consumer" >&2
    exit 1
  }
  cat "$work/read"
  if ! [ -s "$work/read" ]; then tail -n 5 "$work/consumer" >&2; fi
done <<<"$READ"

kafka consumer-groups --group "$GROUP" --describe 2>/dev/null |
  awk -v group="$GROUP" '$1 == group && $4 ~ /^[0-9]+$/ { print $2, $3, $4 }' >"$work/committed"
sed 's/^/committed /' "$work/committed"

printf '%s\n' "$STOP" >"$work/stop"
if awk 'FNR == NR { reached[$1, $2] = $3; next } NF == 3 && reached[$1, $2] + 0 < $3 { exit 1 }' \
  "$work/committed" "$work/stop"; then
  kafka consumer-groups --group "$GROUP" --delete >"$work/deleted" 2>&1 || cat "$work/deleted" >&2
fi
