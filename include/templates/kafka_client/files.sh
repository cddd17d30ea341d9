{% include 'kafka_client/ownership.sh' %}

# write_if_different FOLDER NAME EARLIER: replaces the file with standard input, atomically, and only if they differ.
# A file that we did not write is replaced only if each of its lines matches EARLIER, an extended regular expression of
# the lines that versions wrote which kept no list; it is put aside then.
write_if_different() {
  local folder=$1 name=$2 earlier=$3 file=$1/$2 new
  new=$(mktemp "$file.XXXXXX")
  cat >"$new"
  if cmp -s "$new" "$file"; then
    rm -f "$new"
    echo unchanged
    return
  fi
  if is_there "$file" && ! is_ours "$folder" "$name"; then
    if [ -L "$file" ] || [ ! -f "$file" ] || [ ! -s "$file" ] || grep -qvE "$earlier" "$file"; then
      rm -f "$new"
      in_the_way "$file"
    fi
    put_aside "$file"
  fi
  chmod 644 "$new"
  mv "$new" "$file"
  remember "$folder" "$name"
  echo "changed: $file"
}
