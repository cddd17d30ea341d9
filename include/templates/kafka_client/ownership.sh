# What this pipeline made, it may replace; anything else on the machine is its user's, and stays.

# fail MESSAGE: another try would fail, too, until somebody changes something.
fail() {
  echo "$*" >&2
  exit 78
}

in_the_way() {
  fail "$1 is in the way: this pipeline did not make it, or it was changed since. Nothing was replaced." \
    "Move or rename it, then run the task again"
}

# is_there PATH: also if it is a link to nowhere.
is_there() {
  [ -e "$1" ] || [ -L "$1" ]
}

# put_aside PATH: renames it.
put_aside() {
  local number=1
  while is_there "$1.replaced.$number"; do number=$((number + 1)); done
  mv "$1" "$1.replaced.$number"
  echo "Kept what was in $1 as $1.replaced.$number, since not all of it is known to be this pipeline's" >&2
}

# contents FOLDER: a line "checksum size ./name" for each file, "./name -> target" for each link. Our marks are left out.
contents() {
  (
    cd "$1" || exit
    find . -type f ! -name '.archive' ! -name '.archive.files' -exec cksum {} +
    find . -type l -exec sh -c 'for link; do echo "$link -> $(readlink "$link")"; done' sh {} +
  ) | LC_ALL=C sort
}

# is_ours FOLDER NAME: whether the file is exactly as we wrote it. FOLDER/.archive.files lists what we wrote.
is_ours() {
  [ -f "$1/$2" ] && [ ! -L "$1/$2" ] && (cd "$1" && cksum "./$2") | grep -qxFf - "$1/.archive.files" 2>/dev/null
}

# forget FOLDER NAME: takes the file off the list.
forget() {
  touch "$1/.archive.files"
  awk -v name="./$2" '{ line = $0; sub(/^[0-9]+ [0-9]+ /, ""); if ($0 != name) print line }' \
    "$1/.archive.files" >"$1/.archive.files.new"
  mv "$1/.archive.files.new" "$1/.archive.files"
}

# remember FOLDER NAME: puts the file on the list, as it is now.
remember() {
  forget "$1" "$2"
  (cd "$1" && cksum "./$2") >>"$1/.archive.files"
}
