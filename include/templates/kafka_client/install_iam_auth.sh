# Installs the MSK IAM library into Kafka's libs and removes other versions. Takes URL and SHA256.
set -euo pipefail
{% include 'kafka_client/archives.sh' %}

libs=$HOME/kafka/libs
[ -d "$libs" ] || fail "$libs is missing: run the task kafka first"
name=$(basename "${URL%%\?*}")
case $name in
  aws-msk-iam-auth-*.jar) ;;
  *) fail "downloads.iam_auth.url ends in $name; expected aws-msk-iam-auth-….jar" ;;
esac

result=unchanged
if [ ! -f "$libs/$name" ] || [ "$(digest "$libs/$name")" != "$SHA256" ]; then
  download "$URL" "$SHA256" "$work/jar"
  mv "$work/jar" "$libs/$name"
  chmod 644 "$libs/$name"
  result="changed: $libs/$name"
fi
for jar in "$libs"/aws-msk-iam-auth-*.jar; do
  if [ "$jar" != "$libs/$name" ]; then
    rm -f "$jar"
    result="changed: $libs/$name, without $(basename "$jar")"
  fi
done
echo "$result"
