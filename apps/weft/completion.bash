# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Completes the `weft` command in bash: commands, options, tests of `weft perf`, and what an option takes. It asks the
# programs nothing, and needs nothing but bash. tests/apps/completion_test compares it with what --help says.

# Names of nodes that this user runs here, or whose sockets are in WEFT_RUNTIME_DIR.
_weft_nodes()
{
	local line
	if [ -n "${WEFT_RUNTIME_DIR:-}" ]; then
		for line in "$WEFT_RUNTIME_DIR"/*; do
			[ ! -S "$line" ] || echo "${line##*/}"
		done
	elif [ -r /proc/net/unix ]; then
		while read -r line; do
			case $line in *" @weft/$UID/"*) echo "${line##*/}" ;; esac
		done </proc/net/unix
	fi
}

# Pairs of different CPUs, each of the first few with each.
_weft_core_pairs()
{
	local a b last
	last=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
	((last <= 8)) || last=8
	echo none
	for ((a = 0; a < last; a++)); do
		for ((b = 0; b < last; b++)); do
			((a == b)) || echo "$a,$b"
		done
	done
}

_weft_options()
{
	case $1 in
	info | doctor) echo "--json --workers= --cores= --synthetic= --xml= --driver= --to= --security= --root= --help" ;;
	send) echo "--wait --to= --security= --help" ;;
	recv) echo "--listen= --security= --help" ;;
	perf) echo "--size= --window= --count= --duration= --cores= --no-touch --spin --driver= --to= --listen= --security= --json --help" ;;
	*) echo "--help --version" ;;
	esac
}

_weft_files()
{
	mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
	compopt -o filenames 2>/dev/null || true # not where a test calls
}

# Words that may stand for the value of an option; files and directories are COMPREPLY's own.
_weft_value()
{
	local command=$1 option=$2 word=$3
	case $command$option in
	perf--size | perf-s) words="8 64 512 4096 65536 1048576 67108864" ;;
	perf--window | perf-w) words="1 4 16 32 64" ;;
	perf--count | perf-n) words="1 2 4 8 16 32" ;;
	perf--duration | perf-d) words="0.1 1 2 10" ;;
	perf--cores | perf-c) words=$(_weft_core_pairs) ;;
	info--workers | info-w | doctor--workers | doctor-w) words="1 2 4 8" ;;
	info--cores | info-c | doctor--cores | doctor-c) words="0 0-1 package:0 core:0 numa:0" ;;
	info--xml | info-x | doctor--xml | doctor-x) _weft_files -f "$word" ;;
	info--root | info-r | doctor--root | doctor-r) _weft_files -d "$word" ;;
	*--driver | info-D | doctor-D | perf-D) words="shm udp" ;;
	*--to | send-t | info-t | doctor-t | perf-t | *--listen | recv-l | perf-l) words="udp:" ;;
	*--security | send-s | recv-s) words="none" ;;
	info--synthetic | info-s | doctor--synthetic | doctor-s) ;; # text
	*) return 1 ;;
	esac
}

_weft()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]:-} words=
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "info doctor send recv perf help --help --version" -- "$word")
		return
	fi
	# Bash breaks words at "=": --size=64 comes as three.
	if [ "$word" = = ]; then
		word=
	elif [ "$before" = = ]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	if ! _weft_value "$command" "$before" "$word"; then
		case $command,$word in
		*,-*) words=$(_weft_options "$command") ;;
		perf,*) words="lat rate bw rpc loan fanout wake idle open mix pairs death" ;;
		send,*) words=$(_weft_nodes) ;;
		esac
	fi
	[ -z "$words" ] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
	case ${COMPREPLY[*]} in *=) compopt -o nospace 2>/dev/null ;; esac
}
complete -F _weft weft
