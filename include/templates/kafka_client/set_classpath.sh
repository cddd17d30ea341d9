# Adds one line to the shell profile, so that a login shell has the same environment as the tasks.
set -euo pipefail
{% include 'kafka_client/ownership.sh' %}

mark='# Kafka client of pinterest-pipeline'
profile=$HOME/.bash_profile
for file in "$HOME/.bash_profile" "$HOME/.bash_login" "$HOME/.profile"; do
  if [ -f "$file" ]; then
    profile=$file
    break
  fi
done

jar=$(cat "$HOME/kafka/.iam_auth" 2>/dev/null) || fail "$HOME/kafka/.iam_auth is missing: run the task iam_auth first"
line="export PATH=\"\$HOME/java/bin:\$HOME/kafka/bin:\$PATH\" CLASSPATH=\"\$HOME/kafka/libs/$jar\""
if [ -x "$HOME/java/bin/java" ]; then line="$line JAVA_HOME=\"\$HOME/java\""; fi
line="$line $mark"

if [ -L "$profile" ]; then profile=$(readlink -f "$profile"); fi
touch "$profile"
if [ "$(grep -cF "$mark" "$profile" || true)" = 1 ] && grep -qxF "$line" "$profile"; then
  echo unchanged
  exit 0
fi
new=$(mktemp "$profile.XXXXXX")
cp -p "$profile" "$new"
{ grep -vF "$mark" "$profile" || true; echo "$line"; } >"$new"
mv "$new" "$profile"
echo "changed: CLASSPATH in $profile"
