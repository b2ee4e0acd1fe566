#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The sentry's end of the control connection: a client of its own in place of the sandbox process. tests/oci/fake.sh has the other end.
. "$top_srcdir/tests/kvm/lib.sh"
[ -w /dev/kvm ] || { echo "1..0 # SKIP no /dev/kvm"; exit 0; }
command -v python3 >/dev/null || { echo "1..0 # SKIP python3 is missing"; exit 0; }
python3 -B "$top_srcdir/tests/kvm/agent.py" "$(realpath "$VMM")" "$TMP" >"$TMP/log" 2>&1
while read -r verdict text; do
	case "$verdict" in ok) point 0 "$text" ;; not) point 1 "${text#ok: }" ;; *) echo "# $verdict $text" ;; esac
done <"$TMP/log"
grep -q '^ok end' "$TMP/log"
point $? "all of it was tried"
echo "1..$tap_n"
