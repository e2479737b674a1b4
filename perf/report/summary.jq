# SPDX-License-Identifier: Apache-2.0
# From records to medians: one row for each state, test, size, window and system, and where a peer is ahead of weft.
def middle:
	sort | length as $n | if $n % 2 == 1 then .[($n - 1) / 2] else (.[$n / 2 - 1] + .[$n / 2]) / 2 end;

# Of a list of numbers; null if there is none.
def spread: map(select(. != null)) | if length == 0 then null else {median: middle, low: min, high: max} end;

def row($order):
	. as $records
	| .[0] | {state, test, size_bytes, window, system, touched}
	| .rounds = ($records | length)
	| .order = (.system as $s | $order | index($s))
	| .round_trip_ns = (
		if $records[0].round_trip_ns then
			(["p50", "p90", "p99", "p99_9", "max"]
				| map(. as $p | {($p): ($records | map(.round_trip_ns[$p]) | spread)}) | add)
			+ {sampled: [($records | map(.round_trip_ns.sampled // []) | transpose)[]
				| [.[0][0], (map(.[1]) | middle)]]}
		else null end)
	| .per_second = ($records | map(.per_second) | spread)
	| .bytes_per_second = ($records | map(.bytes_per_second) | spread);

# Peers whose median is better than the best of weft in a group of rows of one test. overlap: the rounds of both have
# figures in common.
def ahead($path; $lowest; $name):
	map(select(getpath($path)) | {system, touched, value: getpath($path).median, spread: getpath($path)})
	| map(select(.system | startswith("weft"))) as $own
	| if ($own | length) == 0 then empty else
		($own | if $lowest then min_by(.value) else max_by(.value) end) as $best
		| .[]
		| select((.system | startswith("weft") | not) and .system != "floor" and .touched)
		| select(if $lowest then .value < $best.value else .value > $best.value end)
		| {system, value, figure: $name, weft: $best.value, weft_system: $best.system,
			overlap: (.spread.low <= $best.spread.high and .spread.high >= $best.spread.low)}
	  end;

def all_ahead:
	group_by([.state, .test, .size_bytes, .window])[]
	| (.[0] | {state, test, size_bytes, window}) as $where
	| (if .[0].window == 1 and (.[0].test == "lat" or .[0].test == "rpc") then
		ahead(["round_trip_ns", "p50"]; true; "p50"),
		ahead(["round_trip_ns", "p99"]; true; "p99"),
		ahead(["round_trip_ns", "p99_9"]; true; "p99.9")
	   elif .[0].size_bytes < 4096 then ahead(["per_second"]; false; "messages a second")
	   else ahead(["bytes_per_second"]; false; "bytes a second") end)
	| $where + .;

(($systems | split(" ")) | ["floor"] + .) as $order
| . as $records
| map(select(.state != "changed")) as $valid
| ($valid | group_by([.state, .test, .size_bytes, .window, .system]) | map(row($order))
	| sort_by([.state, .test, .size_bytes, .window, .order])) as $rows
| {
	machine: $machine[0],
	records: (reduce $records[] as $r ({}; .[$r.state] += 1)),
	lines_ns: ($valid | group_by(.state)
		| map({(.[0].state): (map(.line_before_ns, .line_after_ns) | spread)}) | add // {}),
	states: ($valid | group_by(.state) | sort_by(-length) | map(.[0].state)),
	rounds: ($records | map(.round) | max),
	rows: $rows,
	ahead: [$rows | all_ahead]
}
