#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every command and every option that --help names stands in the manual and is completed, and each --help fits a screen of 24 lines and 80 columns.
: "${top_srcdir:=$(dirname "$0")/../..}" "${top_builddir:=.}"
. "$top_srcdir/tests/oci/lib.sh"
casemate=$top_builddir/casemate
export CASEMATE_LIBEXECDIR="$top_builddir"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
command -v bash >/dev/null || skip_all "bash is missing"

# The manual without its markup: options as they are typed.
cat "$top_srcdir/man/casemate.1" "$top_srcdir/man/casemate-debug.1" "$top_srcdir/man/casemate-kvmtest.1" |
	sed 's/Fl Fl \([a-z]\)/--\1/g; s/Fl \([A-Za-z0-9]\)/-\1/g' >"$tmp/manual"
complete_words() { # complete_words WORD...: what follows them
	bash -c '. "$1"; shift; COMP_WORDS=(casemate "$@" -); COMP_CWORD=$(($# + 1)); _casemate; printf "%s\n" "${COMPREPLY[@]}"' \
		bash "$top_srcdir/tools/completion/casemate" "$@"
}
options() { grep -oE '(^|[ ,])--[a-z][a-z-]+' | tr -d ' ,' | sort -u; }

"$casemate" --help >"$tmp/help"
commands=$(sed -n '/^commands:/,$ s/^  \([a-z]*\) .*/\1/p' "$tmp/help")
bash -c '. "$1"; COMP_WORDS=(casemate ""); COMP_CWORD=1; _casemate; printf "%s\n" "${COMPREPLY[@]}"' bash "$top_srcdir/tools/completion/casemate" >"$tmp/first"
for option in $(options <"$tmp/help"); do
	grep -q -e "^\.It .*$option\>" "$tmp/manual"
	ok $? "the manual has $option"
	grep -qx -e "$option" "$tmp/first"
	ok $? "... and so has the completion"
done
for command in $commands; do
	grep -qE "^\.Ss casemate $command( |$)" "$top_srcdir/man/casemate.1"
	ok $? "$command: in the manual"
	grep -qx "$command" "$tmp/first"
	ok $? "$command: completed"
	"$casemate" "$command" --help >"$tmp/text" 2>&1
	ok $? "$command --help"
	is "$(awk 'length > 80 || NR > 24' "$tmp/text")" "" "$command: its help fits a screen"
	complete_words "$command" >"$tmp/completed"
	missing=
	for option in $(options <"$tmp/text"); do
		grep -q -e "$option\>" "$tmp/manual" || missing="$missing $option (manual)"
		[ "$command" = debug ] || [ "$command" = kvmtest ] || grep -qx -e "$option" "$tmp/completed" || missing="$missing $option (completion)"
	done
	is "$missing" "" "$command: its options are in the manual and completed"
done
plan
