# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For tests of commands: BIN is the folder of the programs' build. Each check says what it found; the first that does not
# hold ends the test.
set -uo pipefail
weft=$BIN/weft/weft
examples=$BIN/examples
scratch=$(mktemp -d)
export weft examples scratch
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$scratch"' EXIT

fail()
{
	echo "FAILED: $*" >&2
	exit 1
}

# is WHAT GOT WANTED
is()
{
	[ "$2" = "$3" ] || fail "$1 is \"$2\", not \"$3\""
	echo "ok: $1 is \"$3\""
}

# one_line FILE WORDS: a single line that holds the words.
one_line()
{
	local lines
	mapfile -t lines <"$1"
	is "lines of the error" ${#lines[@]} 1
	[[ ${lines[0]} == *"$2"* ]] || fail "the error is \"${lines[0]}\", without \"$2\""
	echo "ok: ${lines[0]}"
}

# await_node NAME: until the node listens.
await_node()
{
	local socket
	socket=@weft/$(id -u)/$1
	[ -z "${WEFT_RUNTIME_DIR:-}" ] || socket=$WEFT_RUNTIME_DIR/$1
	for _ in $(seq 200); do
		awk -v socket="$socket" '$4 == "00010000" && $8 == socket { found = 1 } END { exit !found }' /proc/net/unix && return 0
		sleep 0.05
	done
	fail "node $1 did not open"
}

# pour FILE: into the pipe $scratch/pipe, which does not end before `exec 9>&-`.
pour()
{
	rm -f "$scratch/pipe"
	mkfifo "$scratch/pipe"
	exec 9<>"$scratch/pipe"
	cat "$1" >"$scratch/pipe" 9>&- &
}

# await_bytes FILE: until something has come in.
await_bytes()
{
	for _ in $(seq 400); do
		[ -s "$1" ] && return 0
		sleep 0.05
	done
	fail "nothing has come to $1"
}
