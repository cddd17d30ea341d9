# What the broker keeps of each partition: lines "earliest topic:partition:offset" and "latest topic:partition:offset",
# of those topics that exist. Takes BOOTSTRAP_SERVERS and TOPICS (separated by blanks).
set -euo pipefail
{% include 'kafka_client/tools.sh' %}

for which in earliest latest; do
  kafka get-offsets --time "$which" --topic "$(pattern "$TOPICS")" |
    sed -n "s/^\([^[:space:]]*:[0-9]*:[0-9]*\)\$/$which \1/p"
done
