# Records of a topic as they are, at most LIMIT of each partition: lines "<partition> <from> <to> <base64>". The
# base64 is what the console consumer printed with the separators it was given; nothing is printed for a partition
# without new records, or for a topic that does not exist yet.
# Takes BOOTSTRAP_SERVERS, TOPIC, POSITIONS (lines "partition offset"; 0 where none is given), LIMIT, IDLE_SECONDS,
# FIELD_SEPARATOR, HEADER_SEPARATOR, RECORD_SEPARATOR and NULL_LITERAL.
set -euo pipefail
{% include 'kafka_client/tools.sh' %}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

offsets() {
  kafka get-offsets --time "$1" --topic "$(pattern "$TOPIC")" 2>"$work/error" ||
    grep -qi 'could not match any topic' "$work/error" || {
    cat "$work/error" >&2
    return 1
  }
}

offsets latest >"$work/ends"
printf '%s\n' "$POSITIONS" >"$work/positions"
awk -v FS='[: ]' 'FNR == NR { if (NF == 2) position[$1] = $2; next } NF == 3 { print $2, position[$2] + 0, $3 }' \
  "$work/positions" "$work/ends" >"$work/places"
awk '$2 > $3' "$work/places" >"$work/ahead"
if read -r partition from to <"$work/ahead"; then
  echo "$TOPIC partition $partition ends at offset $to, but offsets to $((from - 1)) are already read: the topic was" \
    "made again since this run began. Run the DAG again: it compares the topic's identity first" >&2
  exit 78
fi
awk '$3 > $2' "$work/places" >"$work/wanted"
[ -s "$work/wanted" ] || exit 0
offsets earliest >"$work/starts"

while read -r partition from to; do
  start=$(awk -F: -v partition="$partition" '$2 == partition { print $3 }' "$work/starts")
  if [ "$from" -lt "${start:-0}" ]; then from=$start; fi
  if [ "$from" -ge "$to" ]; then continue; fi
  if [ "$((to - from))" -gt "$LIMIT" ]; then to=$((from + LIMIT)); fi
  printf '%s %s %s ' "$partition" "$from" "$to"
  kafka console-consumer --topic "$TOPIC" --partition "$partition" --offset "$from" \
    --max-messages "$((to - from))" --timeout-ms "$((IDLE_SECONDS * 1000))" \
    --formatter-property print.timestamp=true --formatter-property print.partition=true \
    --formatter-property print.offset=true --formatter-property print.headers=true \
    --formatter-property print.key=true --formatter-property print.value=true \
    --formatter-property key.separator="$FIELD_SEPARATOR" \
    --formatter-property headers.separator="$HEADER_SEPARATOR" \
    --formatter-property line.separator="$RECORD_SEPARATOR" \
    --formatter-property null.literal="$NULL_LITERAL" 2>"$work/consumer" </dev/null | base64 | tr -d '\n' || {
    cat "$work/consumer" >&2
    exit 1
  }
  echo
done <"$work/wanted"
