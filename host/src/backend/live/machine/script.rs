//! What is run on the other machine: small scripts for a POSIX shell with the tools of GNU. Every value comes as an argument
//! or as input, never as part of a script.

/// Prints what [`super::Looked`] holds: a line of facts, then the content. `$1` path, `$2` most bytes.
pub(super) const LOOK: &str = r#"
export LC_ALL=C
path=$1 most=$2
folder=$(stat -L -c %a -- "$(dirname -- "$path")" 2>/dev/null || echo -)
if [ -L "$path" ]; then echo "$folder symlink"
elif [ ! -e "$path" ]; then
  # A folder that may not be entered hides what is in it.
  if stat -- "$path" 2>&1 | grep -q 'No such file'; then echo "$folder missing"; else stat -- "$path" >&2; exit 1; fi
elif [ ! -f "$path" ]; then echo "$folder nofile"
else
  facts=$(stat -c '%f %u %g %d:%i:%.9Y' -- "$path") || exit 1
  echo "$folder file $facts"
  exec head -c "$most" -- "$path"
fi
"#;

/// Replaces a file in one step. `$1` path, `$2` the new file beside it, `$3` its rights, `$4` its owner and group, `$5` the
/// facts that the old one must still have. The input is a line with the SHA-256 of the old content, one with that of the new, and the
/// new content: an input that broke off is never taken for the whole, and nothing of a secret is in an argument.
pub(super) const REPLACE: &str = r#"
export LC_ALL=C
path=$1 new=$2 mode=$3 owner=$4 facts=$5
IFS= read -r old_sum && IFS= read -r new_sum || exit 1
umask 077
rm -f -- "$new" || exit 1
trap 'rm -f -- "$new"' EXIT
trap 'exit 1' HUP INT TERM PIPE
set -C
cat > "$new" || exit 1
set +C
sum() { sha256sum < "$1" | cut -d ' ' -f 1; }
[ "$(sum "$new")" = "$new_sum" ] || { echo 'the new content did not arrive whole' >&2; exit 1; }
[ "$(stat -c %u:%g -- "$new")" = "$owner" ] || chown -- "$owner" "$new" || exit 1
chmod -- "$mode" "$new" || exit 1
sync -- "$new" || exit 1
if [ -L "$path" ] || [ "$(stat -c '%f %u %g %d:%i:%.9Y' -- "$path")" != "$facts" ] || [ "$(sum "$path")" != "$old_sum" ]
then echo changed; exit 0
fi
mv -f -T -- "$new" "$path" || exit 1
sync -- "$(dirname -- "$path")" || exit 1
echo replaced
"#;

/// Takes a lock and holds it until its input ends. `$1` the lock's file, `$2` what others are told. Says `held`, or `busy` and what its
/// present holder noted.
pub(super) const HOLD: &str = r#"
lock=$1 note=$2
[ ! -L "$lock" ] || { echo 'it is a symlink' >&2; exit 1; }
umask 077
exec 9>> "$lock" || exit 1
if ! flock -n 9; then echo busy; head -c 200 -- "$lock"; exit 0; fi
printf '%s, process %s on %s\n' "$note" "$$" "$(hostname)" > "$lock" || exit 1
echo held
cat > /dev/null
"#;

/// Runs a program with nothing of its environment but what finds programs. `$1` a file whose lock the program holds until it
/// ends, and which is waited for `$2` seconds, or nothing; then the variables to set, one `KEY=value` each, and the program.
pub(super) const RUN: &str = r#"
lock=$1 wait=$2; shift 2
if [ -n "$lock" ]; then
  umask 077
  exec 9>> "$lock" || exit 1
  flock -w "$wait" 9 || { echo 'what an earlier deploy started here has not ended yet' >&2; exit 1; }
fi
exec env -i PATH="$PATH" HOME="$HOME" ${DOCKER_CONFIG:+"DOCKER_CONFIG=$DOCKER_CONFIG"} "$@"
"#;

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
