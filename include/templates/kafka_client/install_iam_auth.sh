# Installs the MSK IAM library into Kafka's libs, and removes other versions that it installed. Kafka's tools take the one
# that ~/kafka/.iam_auth names. Takes URL and SHA256.
set -euo pipefail
{% include 'kafka_client/archives.sh' %}

kafka=$HOME/kafka
[ -d "$kafka/libs" ] || fail "$kafka/libs is missing: run the task kafka first"
name=$(basename "${URL%%\?*}")
case $name in
  aws-msk-iam-auth-*.jar) ;;
  *) fail "downloads.iam_auth.url ends in $name; expected aws-msk-iam-auth-….jar" ;;
esac

# check_loads JAR: Java finds the class that logs Kafka clients in, and all that it needs. A class without main() is an
# error for Java, and here a success.
check_loads() {
  local java=${JAVA_HOME:+$JAVA_HOME/bin/}java class=software.amazon.msk.auth.iam.IAMClientCallbackHandler said
  command -v "$java" >/dev/null 2>&1 || return 0
  said=$("$java" -Duser.language=en -cp "$1:$kafka/libs/*" "$class" 2>&1 || true)
  case $said in
    *"Main method not found in class"*) ;;
    *)
      fail "Java cannot load the library from $(shown "$URL") (setting downloads.iam_auth):" \
        "$(echo "$said" | tail -n 1). Expected the jar whose name ends in -all.jar. Nothing was replaced"
      ;;
  esac
}

result=unchanged
jar=libs/$name
if [ ! -f "$kafka/$jar" ] || [ "$(digest "$kafka/$jar")" != "$SHA256" ]; then
  if is_there "$kafka/$jar" && [ "$(cat "$kafka/.iam_auth" 2>/dev/null)" != "$name" ]; then in_the_way "$kafka/$jar"; fi
  download "$URL" "$SHA256" "$work/$name"
  check_loads "$work/$name"
  if [ -f "$kafka/$jar" ] && ! is_ours "$kafka" "$jar"; then # changed since; in libs, Kafka would load both
    mv "$kafka/$jar" "$kafka/$name"
    put_aside "$kafka/$name"
  fi
  chmod 644 "$work/$name"
  mv "$work/$name" "$kafka/$jar"
  remember "$kafka" "$jar"
  result="changed: $kafka/$jar"
fi
before=$(cat "$kafka/.iam_auth" 2>/dev/null || true)
if [ "$before" != "$name" ]; then
  echo "$name" >"$kafka/.iam_auth"
  remember "$kafka" .iam_auth
  if [ -n "$before" ] && is_ours "$kafka" "libs/$before"; then
    rm -f "$kafka/libs/$before"
    forget "$kafka" "libs/$before"
    result="changed: $kafka/$jar, without $before"
  fi
fi
echo "$result"
