# Reads and changes nothing. Arguments: unit, container, image, storage, URL, first line of managed files, the label of the
# container, how many bytes of a managed file are told at most, files. `evidence` instead of a number: where none of the files
# is there, nothing more is asked.
unit=$1 container=$2 image=$3 storage=$4 url=$5 header=$6 label=$7 told=$8
shift 8
if [ "$told" = evidence ]; then
  told=0 some=
  for file; do [ ! -e "$file" ] || some=1; done
  [ "$some" ] || { printf 'end\n'; exit 0; }
fi
say() {
  name=$1
  shift
  printf '%s' "$name"
  for word; do printf '\t%s' "$(printf '%s' "$word" | tr '\t\r\n' '   ')"; done
  printf '\n'
}
patient() {
  if command -v timeout >/dev/null 2>&1; then timeout 5 "$@"; else "$@"; fi
}

if command -v systemctl >/dev/null 2>&1; then
  patient systemctl show "$unit" --property=LoadState --property=ActiveState --property=SubState \
    --property=UnitFileState --property=NeedDaemonReload 2>/dev/null |
    while IFS= read -r line; do say unit "$line"; done
fi

if ! command -v docker >/dev/null 2>&1; then
  say docker-error "there is no docker program"
elif version=$(patient docker version --format '{{.Server.Version}}' 2>&1); then
  say docker "$version"
  tab=$(printf '\t')
  format="{{.State.Status}}${tab}{{.Config.Image}}${tab}{{.Image}}${tab}{{index .Config.Labels \"com.docker.compose.project\"}}${tab}{{index .Config.Labels \"$label\"}}"
  if found=$(patient docker container inspect --format "$format" "$container" 2>/dev/null); then
    printf 'container\t%s\n' "$found"
  fi
  if found=$(patient docker image inspect --format '{{.Id}}' "$image" 2>/dev/null); then say image "$found"; fi
else
  say docker-error "$version"
fi

if [ -r /proc/net/tcp ]; then
  printf 'listen\t\n'
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    while read -r _ local _ state _; do [ "$state" = 0A ] && printf 'listen\t%s\n' "$local"; done
fi

if command -v curl >/dev/null 2>&1; then
  if status=$(curl --silent --show-error --output /dev/null --max-time 5 --write-out '%{http_code}' "$url" 2>&1); then
    say http "$status"
  else
    say http-error "${status%000}"
  fi
elif command -v wget >/dev/null 2>&1; then
  if said=$(wget --quiet --output-document=/dev/null --timeout=5 --tries=1 "$url" 2>&1); then
    say http 200
  else
    say http-error "${said:-wget failed}"
  fi
else
  say http-error "there is neither curl nor wget to ask with"
fi

if [ -d "$storage" ]; then
  say storage folder "$(df -Pk "$storage" 2>/dev/null | { read -r _; read -r _ _ _ free _; printf '%s' "$free"; })"
elif [ -e "$storage" ]; then
  say storage other
else
  say storage missing
fi

for file; do
  if [ -f "$file" ] && [ -r "$file" ]; then
    sum=$(sha256sum <"$file")
    IFS= read -r first <"$file" || :
    if [ "$first" = "$header" ] && [ ! -L "$file" ]; then kind=managed; else kind=foreign; fi
    say file present "${sum%% *}" "$kind"
    if [ "$kind" = managed ] && [ "$told" -gt 0 ]; then head -c "$told" -- "$file" | tr '\t\r' '  ' | sed 's/^/text\t/'; fi
  elif [ -e "$file" ] || [ -L "$file" ]; then
    say file unreadable
  elif [ -d "${file%/*}" ]; then
    say file missing
  else
    say file missing folder
  fi
done
say end
