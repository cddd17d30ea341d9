# Kafka needs Java 17 or newer. Keeps the Java that Kafka's scripts would use if it is new enough; otherwise installs
# the archive's in ~/java. Takes URL and SHA256.
set -euo pipefail
{% include 'kafka_client/archives.sh' %}

version() {
  "$1" -version 2>&1 | sed -n 's/.*version "\([0-9][0-9]*\).*/\1/p' | head -n 1
}

works_for_kafka() {
  local found
  found=$(version "$1/bin/java" || true)
  if [ "${found:-0}" -lt 17 ]; then
    fail "The Java from $(shown "$URL") (setting downloads.java) does not work on this $(uname -s) $(uname -m):" \
      "version ${found:-unknown}, but Kafka needs 17 or newer. Nothing was replaced"
  fi
}

java=java
if [ -n "${JAVA_HOME:-}" ]; then java=$JAVA_HOME/bin/java; fi

if command -v "$java" >/dev/null 2>&1; then
  found=$(version "$java" || true)
  echo "Java ${found:-of an unknown version}: $(command -v "$java")" >&2
  if [ "${found:-0}" -ge 17 ]; then
    echo unchanged
    exit 0
  fi
fi

install_archive "$HOME/java" bin/java "$URL" "$SHA256" works_for_kafka
