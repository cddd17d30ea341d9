# Copies the S3 sink's archive from its publisher to the bucket by way of this machine.
# Takes URL, SHA256, HEADERS (one per line) and UPLOAD_URL. The latter lets its holder write the object, so it goes to
# curl through a pipe: everyone on the machine can read a process's arguments.
set -euo pipefail
{% include 'kafka_client/archives.sh' %}

download "$URL" "$SHA256" "$work/archive"

headers=()
while IFS= read -r header; do
  headers+=(--header "$header")
done <<<"$HEADERS"

code=0
status=$(printf 'url = "%s"\n' "$UPLOAD_URL" |
  curl --config - --silent --show-error --connect-timeout 20 --speed-limit 1024 --speed-time 60 --max-time 1500 \
    --retry 3 --retry-delay 2 --header Expect: "${headers[@]}" --upload-file "$work/archive" \
    --output "$work/answer" --write-out '%{http_code}') || code=$?
if [ "$code" -ne 0 ]; then
  fail_for_now "The archive did not reach the bucket (curl exit code $code)"
fi
if [ "$status" != 200 ]; then
  fail_for_now "The bucket refused the archive: HTTP $status" \
    "$(sed -n 's:.*<Code>\(.*\)</Code>.*<Message>\(.*\)</Message>.*:\1, \2:p' "$work/answer" 2>/dev/null)"
fi
echo "changed: $(basename "${URL%%\?*}") is in the bucket"
