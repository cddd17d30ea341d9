# Deletes the topics in TOPICS (separated by spaces), and those that MSK Connect keeps for the connector CONNECTOR. Takes
# BOOTSTRAP_SERVERS, too. Lists them only, unless REMOVE is yes; WANTED says whether they may go at all.
set -euo pipefail
{% include 'kafka_client/tools.sh' %}

if [ ! -x "$HOME/kafka/bin/kafka-topics.sh" ]; then
  echo "Kafka's tools are not in ~/kafka: its topics are gone, or were never made" >&2
  exit 0
fi
workers="__amazon_msk_connect_[a-z]+_${CONNECTOR}_.*"

found=$(kafka topics --describe --if-exists --topic "$(pattern "$TOPICS")|$workers" |
  sed -n 's/^Topic: *\([^[:space:]]*\).*/\1/p')
[ -n "$found" ] || exit 0
if [ "$WANTED" != yes ]; then
  mark="kept, for it holds data, which only delete_data_of deletes"
elif [ "$REMOVE" = yes ]; then
  kafka topics --delete --if-exists --topic "$(pattern "$(echo "$found" | tr '\n' ' ' | sed 's/ $//')")" >&2
  mark=removed
else
  mark="would be removed"
fi
for topic in $found; do echo "$mark: topic $topic"; done
