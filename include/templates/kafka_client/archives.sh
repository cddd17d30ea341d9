{% include 'kafka_client/ownership.sh' %}

# fail_for_now MESSAGE: another try may succeed.
fail_for_now() {
  echo "$*" >&2
  exit 1
}

work=$(mktemp -d "$HOME/.pinterest-pipeline.XXXXXX")
trap 'rm -rf "$work"' EXIT

digest() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

# shown URL: the URL without its login and its query, either of which may hold a token.
shown() {
  printf '%s\n' "$1" | sed 's|^\([a-z]*://\)[^/?#]*@|\1|; s/[?#].*//'
}

# download URL SHA256 FILE: keeps FILE only if it is complete and has the expected digest. The URL goes to curl through a
# pipe: everyone on the machine can read a process's arguments.
download() {
  local url=$1 expected=$2 file=$3 named got code=0
  named=$(shown "$url")
  echo "Downloading $named" >&2
  printf 'url = "%s"\n' "$(printf '%s' "$url" | sed 's/[\\"]/\\&/g')" |
    curl --config - --fail --location --silent --show-error --connect-timeout 20 --speed-limit 1024 --speed-time 60 \
      --max-time 1500 --retry 3 --retry-delay 2 --output "$file" || code=$?
  if [ "$code" -ne 0 ]; then
    rm -f "$file"
    fail_for_now "Download of $named failed (curl exit code $code); nothing was kept"
  fi
  got=$(digest "$file")
  if [ "$got" != "$expected" ]; then
    rm -f "$file"
    fail "Wrong checksum of $named: expected SHA-256 $expected, got $got. The file was deleted." \
      "Check the URL and its digest in the setting downloads"
  fi
}

# install_archive LINK PROGRAM URL SHA256 CHECK: unpacks the archive's only folder beside LINK and points LINK at it.
# CHECK gets the unpacked folder, and fails before anything is replaced. A folder gets its name only when it is complete.
# Its file .archive, with the archive's digest, says that it is ours; .archive.files lists what we put into it.
install_archive() {
  local link=$1 program=$2 url=$3 sha256=$4 check=$5 parent top
  if [ -x "$link/$program" ] && [ "$(cat "$link/.archive" 2>/dev/null)" = "$sha256" ]; then
    "$check" "$link"
    echo unchanged
    return
  fi
  parent=$(dirname "$link")
  if [ -e "$parent" ] && [ ! -d "$parent" ]; then in_the_way "$parent"; fi
  if is_there "$link" && ! is_our_link "$link"; then in_the_way "$link"; fi
  mkdir -p "$parent" "$work/unpacked"
  download "$url" "$sha256" "$work/archive"
  tar -xzf "$work/archive" -C "$work/unpacked" || fail "$(shown "$url") is not a gzipped tar archive"
  top=$(ls -A "$work/unpacked")
  if [ ! -x "$work/unpacked/$top/$program" ]; then
    fail "$(shown "$url") has no folder that contains $program; found: $(echo "$top" | head -n 5 | tr '\n' ' ')"
  fi
  "$check" "$work/unpacked/$top"
  if [ "$parent/$top" = "$link" ]; then
    fail "$(shown "$url") unpacks to a folder named $top, but $link becomes a link"
  fi
  echo "$sha256" >"$work/unpacked/$top/.archive"
  contents "$work/unpacked/$top" >"$work/files"
  mv "$work/files" "$work/unpacked/$top/.archive.files"
  make_room "$parent/$top"
  mv "$work/unpacked/$top" "$parent/$top"
  ln -sfn "$top" "$link"
  echo "changed: $link is $top"
}

# is_our_link PATH: whether PATH is a link as we make it, to a folder beside it that is ours or gone.
is_our_link() {
  local target
  target=$(readlink "$1") || return 1
  case $target in */* | . | ..) return 1 ;; esac
  target=$(dirname "$1")/$target
  ! is_there "$target" || is_our_folder "$target"
}

is_our_folder() {
  [ ! -L "$1" ] && [ -f "$1/.archive" ]
}

# make_room FOLDER: removes a folder of ours. If it holds anything that we did not put there, it is only renamed.
make_room() {
  local theirs
  is_there "$1" || return 0
  is_our_folder "$1" || in_the_way "$1"
  contents "$1" >"$work/contents"
  theirs=$(grep -vxFf "$1/.archive.files" "$work/contents" 2>/dev/null || [ -f "$1/.archive.files" ] || echo unknown)
  if [ -n "$theirs" ]; then
    put_aside "$1"
  else
    mv "$1" "$work/replaced"
  fi
}
