# write_if_different FILE: replaces FILE with standard input, atomically, and only if they differ.
write_if_different() {
  local file=$1 new
  new=$(mktemp "$file.XXXXXX")
  cat >"$new"
  if cmp -s "$new" "$file"; then
    rm -f "$new"
    echo unchanged
    return
  fi
  chmod 644 "$new"
  mv "$new" "$file"
  echo "changed: $file"
}
