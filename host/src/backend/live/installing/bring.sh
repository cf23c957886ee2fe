# Starts, restarts or reloads a unit. Arguments: which of them, the unit. Where that fails, what the unit said is told.
export LC_ALL=C
echo begun
if said=$(systemctl "$1" "$2" 2>&1); then
  echo end
  exit 0
fi
# What its programs said this time; the progress of Compose is indented.
run=$(systemctl show --property=InvocationID --value "$2")
words=$(journalctl "_SYSTEMD_INVOCATION_ID=$run" --lines 30 --output cat --no-pager 2>/dev/null | grep -v '^ ' | tail -n 4)
printf '%s\n' "${words:-$said}" >&2
exit 1
