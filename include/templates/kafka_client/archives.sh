fail() {
  echo "$*" >&2
  exit 1
}

work=$(mktemp -d "$HOME/.pinterest-pipeline.XXXXXX")
trap 'rm -rf "$work"' EXIT

digest() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

# download URL SHA256 FILE: keeps FILE only if it is complete and has the expected digest.
download() {
  local url=$1 expected=$2 file=$3 got code=0
  echo "Downloading $url" >&2
  curl --fail --location --silent --show-error --connect-timeout 20 --speed-limit 1024 --speed-time 60 \
    --max-time 1500 --retry 3 --retry-delay 2 --output "$file" "$url" || code=$?
  if [ "$code" -ne 0 ]; then
    rm -f "$file"
    fail "Download of $url failed (curl exit code $code); nothing was kept"
  fi
  got=$(digest "$file")
  if [ "$got" != "$expected" ]; then
    rm -f "$file"
    fail "Wrong checksum of $url: expected SHA-256 $expected, got $got. The file was deleted." \
      "Check the URL and its digest in the setting downloads"
  fi
}

# install_archive LINK PROGRAM URL SHA256: unpacks the archive's only folder beside LINK and points LINK at it.
# The folder gets its name only when it is complete; its file .archive holds the archive's digest.
install_archive() {
  local link=$1 program=$2 url=$3 sha256=$4 parent top
  if [ -x "$link/$program" ] && [ "$(cat "$link/.archive" 2>/dev/null)" = "$sha256" ]; then
    echo unchanged
    return
  fi
  if [ -e "$link" ] && [ ! -L "$link" ]; then
    fail "$link is in the way: this pipeline did not create it. Move it, then run the task again"
  fi
  parent=$(dirname "$link")
  mkdir -p "$parent" "$work/unpacked"
  download "$url" "$sha256" "$work/archive"
  tar -xzf "$work/archive" -C "$work/unpacked" || fail "$url is not a gzipped tar archive"
  top=$(ls -A "$work/unpacked")
  if [ ! -x "$work/unpacked/$top/$program" ]; then
    fail "$url has no folder that contains $program; found: $(echo "$top" | head -n 5 | tr '\n' ' ')"
  fi
  echo "$sha256" >"$work/unpacked/$top/.archive"
  if [ -e "$parent/$top" ]; then
    mv "$parent/$top" "$work/replaced"
  fi
  mv "$work/unpacked/$top" "$parent/$top"
  ln -sfn "$top" "$link"
  echo "changed: $link is $top"
}
