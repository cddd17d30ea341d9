# Sets the sink's consumer group to the beginning of topics, so that the next connector writes them again.
# The connector must have been deleted; its last workers are members of the group until they have left it.
# Takes BOOTSTRAP_SERVERS, GROUP, TOPICS (separated by spaces) and WAIT_SECONDS.
set -euo pipefail
{% include 'kafka_client/tools.sh' %}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

read -ra topics <<<"$TOPICS"
restart() {
  reset_offsets "$GROUP" "$work/said" --to-earliest "${topics[@]/#/--topic=}" >"$work/set"
  for topic in "${topics[@]}"; do
    grep -q "^${topic//./\\.} " "$work/set" || return 1
  done
}

deadline=$(($(date +%s) + WAIT_SECONDS))
until restart; do
  if [ "$(date +%s)" -ge "$deadline" ]; then
    echo "Consumer group $GROUP could not be set to the beginning of $TOPICS within $WAIT_SECONDS s:" >&2
    tail -n 15 "$work/said" >&2
    exit 1
  fi
  sleep 2
done
echo "changed: group $GROUP"
