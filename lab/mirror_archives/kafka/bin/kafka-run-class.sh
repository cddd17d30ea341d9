#!/bin/bash
# kafka-run-class.sh CLASS [ARGUMENT ...]: run a class with CLASSPATH's jars, then Kafka's own.
# Java comes from JAVA_HOME, else from PATH. KAFKA_HEAP_OPTS, KAFKA_JVM_PERFORMANCE_OPTS, KAFKA_LOG4J_OPTS and
# KAFKA_OPTS are passed to it, as in Apache's script.
if [ $# -lt 1 ]; then
  echo "USAGE: $0 classname [opts]" >&2
  exit 1
fi

base_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
java=${JAVA_HOME:+$JAVA_HOME/bin/}java

: "${KAFKA_HEAP_OPTS=-Xmx256M}"
: "${KAFKA_JVM_PERFORMANCE_OPTS=-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -Djava.awt.headless=true}"
: "${KAFKA_LOG4J_OPTS=-Dlog4j2.configurationFile=$base_dir/config/tools-log4j2.properties}"

# Where Kafka is installed, a tool's first call leaves its classes in an archive, with which every later call starts in
# half the time. Java ignores an archive that does not fit its version or the jars.
archive=$base_dir/archives/$1.jsa
share=()
archiving=
if [ -r "$archive" ]; then
  share=(-Xlog:disable "-XX:SharedArchiveFile=$archive")
elif [ -d "$base_dir/libs" ] && mkdir -p "$base_dir/archives" 2>/dev/null; then
  archiving=$archive.$$
  share=(-Xlog:disable "-XX:ArchiveClassesAtExit=$archiving")
fi

# The options are lists of words.
# shellcheck disable=SC2086
set -- "$java" $KAFKA_HEAP_OPTS $KAFKA_JVM_PERFORMANCE_OPTS $KAFKA_LOG4J_OPTS $KAFKA_OPTS "${share[@]}" \
  -cp "${CLASSPATH:+$CLASSPATH:}$base_dir/libs/*" "$@"
if [ -z "$archiving" ]; then exec "$@"; fi

"$@"
code=$?
if [ "$code" -lt 128 ]; then mv "$archiving" "$archive" 2>/dev/null; fi
exit "$code"
