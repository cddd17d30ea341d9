# Stops the REST proxy and the broker, and removes what this pipeline put on the machine. Files of others in its folders
# are kept. Lists only, unless REMOVE is yes. With KEEP_TOOLS=yes, Java and Kafka's tools stay: topics are deleted with
# them later; and so does what the broker holds. Takes SYSTEMD and UNITS, too.
set -euo pipefail
{% include 'kafka_client/archives.sh' %}
{% include 'kafka/broker.sh' %}

mark='# Kafka client of pinterest-pipeline'
proxy=$HOME/kafka-rest

# gone WHAT COMMAND…: says that WHAT is removed, and runs the command; or only says that it would be.
gone() {
  local what=$1
  shift
  if [ "$REMOVE" = yes ]; then
    "$@" >&2
    echo "removed: $what"
  else
    echo "would be removed: $what"
  fi
}

proxy_runs() {
  pid=$(cat "$proxy/kafka-rest.pid" 2>/dev/null) && [ -n "$pid" ] &&
    ps -p "$pid" -o args= 2>/dev/null | grep -qF kafka-rest.properties
}

stop_proxy() {
  kill -TERM -- "-$pid" 2>/dev/null || kill -TERM "$pid" 2>/dev/null || true
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    proxy_runs || return 0
    sleep 0.5
  done
  kill -KILL -- "-$pid" 2>/dev/null || true
}

# remove_archive LINK: the link and the folder that it names, if both are ours.
remove_archive() {
  local link=$1 folder
  is_there "$link" || return 0
  if ! is_our_link "$link"; then
    echo "kept: $link, which this pipeline did not make"
    return 0
  fi
  folder=$(dirname "$link")/$(readlink "$link")
  gone "$link" remove_link_and_folder "$link" "$folder"
}

# The folder goes first: with the link alone, a rerun finds what is left.
remove_link_and_folder() {
  make_room "$2"
  rm -f "$1"
}

# remove_file FOLDER NAME: a file that we wrote and nobody changed.
remove_file() {
  is_there "$1/$2" || return 0
  if is_ours "$1" "$2"; then
    gone "$1/$2" rm -f "$1/$2"
  else
    echo "kept: $1/$2, which this pipeline did not write, or which was changed since"
  fi
}

without_our_line() {
  local new
  new=$(mktemp "$1.XXXXXX")
  cp -p "$1" "$new"
  grep -vF "$mark" "$1" >"$new" || true
  if [ -s "$new" ]; then mv "$new" "$1"; else rm -f "$new" "$1"; fi
}

remove_unit() {
  sudo -n systemctl disable --now --quiet "$unit"
  sudo -n rm -f "$UNITS/$unit"
  sudo -n systemctl daemon-reload
}

if proxy_runs; then gone "the REST proxy (pid $pid)" stop_proxy; fi
if [ -f "$UNITS/$unit" ] && has_systemd; then gone "the service $unit" remove_unit; fi
if running; then gone "the broker (pid $pid)" stop_broker; fi
remove_archive "$proxy/current"
remove_file "$proxy" kafka-rest.properties
for name in kafka-rest.log kafka-rest.log.1 kafka-rest.pid kafka-rest.started; do
  if [ -f "$proxy/$name" ]; then gone "$proxy/$name" rm -f "$proxy/$name"; fi
done
if [ -d "$proxy" ] && [ "$REMOVE" = yes ]; then
  [ -e "$proxy/kafka-rest.properties" ] || rm -f "$proxy/.archive.files"
  rmdir "$proxy" 2>/dev/null || echo "kept: $proxy, which holds files of others"
fi

if [ "$KEEP_TOOLS" = yes ]; then
  if [ -d "$home/data" ]; then echo "kept: $home/data holds topics, which only delete_data_of deletes"; fi
  if is_there "$HOME/kafka"; then echo "kept: $HOME/kafka: topics that stay are deleted with its tools"; fi
  exit 0
fi
if [ -f "$home/server.properties" ]; then gone "$home, with all topics of the broker" rm -rf "$home"; fi
for file in "$HOME/.bash_profile" "$HOME/.bash_login" "$HOME/.profile"; do
  if [ -f "$file" ] && grep -qF "$mark" "$file"; then gone "our line in $file" without_our_line "$(readlink -f "$file")"; fi
done
remove_archive "$HOME/kafka"
remove_archive "$HOME/java"
