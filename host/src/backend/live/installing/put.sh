# Brings files to their places, and systemd to know them. Arguments: unit, storage where it is made, `read` where systemd reads
# its units again, `enable` where the unit is enabled, and for each file its path, the SHA-256 of the one that is there
# (`none`), and its content. What was done is told line by line; the first thing that fails ends it.
set -eu
export LC_ALL=C
umask 022
unit=$1 storage=$2 read=$3 enable=$4
shift 4
echo begun
exec 9>>"/run/lock/host-registry-install.lock"
flock -n 9 || { echo 'another install is at work there; try again when it has ended' >&2; exit 1; }
new=
trap '[ -z "$new" ] || rm -f -- "$new"' EXIT
trap 'exit 1' HUP INT TERM PIPE
# A folder belongs to whom the folder belongs that it is made in.
make() {
  [ ! -d "$1" ] || return 0
  make "$(dirname -- "$1")"
  mkdir -- "$1"
  chown -- "$(stat -c %u:%g -- "$(dirname -- "$1")")" "$1"
  printf 'made %s\n' "$1"
}
if [ -n "$storage" ]; then
  make "$(dirname -- "$storage")"
  mkdir -- "$storage"
  printf 'made %s\n' "$storage"
fi
while [ $# -gt 0 ]; do
  path=$1 sum=$2 content=$3
  shift 3
  make "$(dirname -- "$path")"
  new=$path.new-by-host
  rm -f -- "$new"
  set -C
  printf '%s' "$content" >"$new"
  set +C
  chmod 644 -- "$new"
  sync -- "$new"
  found=none
  if [ -L "$path" ]; then found=link; elif [ -e "$path" ]; then found=$(sha256sum <"$path" | cut -d ' ' -f 1); fi
  [ "$found" = "$sum" ] || { echo "$path was changed by somebody else just now" >&2; exit 1; }
  mv -f -T -- "$new" "$path"
  new=
  sync -- "$(dirname -- "$path")"
  printf 'wrote %s\n' "$path"
done
if [ "$read" = read ]; then
  systemctl daemon-reload
  echo 'systemd read its units'
fi
if [ "$enable" = enable ]; then
  systemctl --quiet enable "$unit"
  printf 'enabled %s\n' "$unit"
fi
echo end
