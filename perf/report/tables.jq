# SPDX-License-Identifier: Apache-2.0
# compare.json as tables that read well on a terminal and in Markdown.
def pad($width): . + " " * ([$width - length, 0] | max);
def pad_left($width): " " * ([$width - length, 0] | max) + .;

# A list of rows of strings, the first of which is the heading.
def table:
	(transpose | map(map(length) | max)) as $widths
	| def line: [., $widths] | transpose | to_entries
		| map(.key as $at | .value[1] as $width | .value[0] | if $at == 0 then pad($width) else pad_left($width) end)
		| "| " + join(" | ") + " |";
	(.[0] | line),
	([$widths | to_entries[] | if .key == 0 then "-" * .value else "-" * (.value - 1) + ":" end]
		| "| " + join(" | ") + " |"),
	(.[1:][] | line);

# Three digits are enough, and more would not be true.
def digits:
	if . >= 1000 then
		(. | round | tostring) as $text
		| ($text | length) as $n
		| [range($n) | . as $i | $text[$i:$i + 1] + (if $n - $i > 1 and ($n - $i) % 3 == 1 then "," else "" end)] | add
	elif . >= 100 then round | tostring
	elif . >= 10 then (. * 10 | round / 10 | tostring)
	elif . >= 1 then (. * 100 | round / 100 | tostring)
	else (. * 1000 | round / 1000 | tostring) end;

def figure($unit): if . == null then "-" else . / $unit | digits end;
def span($unit): if . == null then "-" else "\(.low / $unit | digits) to \(.high / $unit | digits)" end;
def bytes: if . >= 1048576 and . % 1048576 == 0 then "\(. / 1048576) MiB" elif . >= 1024 and . % 1024 == 0 then "\(. / 1024) KiB"
	else "\(.) B" end;

def round_trips:
	[["round trip in ns", "p50", "p90", "p99", "p99.9", "max", "p50 of the rounds", "rounds"]]
	+ map([.system, (.round_trip_ns | .p50.median, .p90.median, .p99.median, .p99_9.median, .max.median | figure(1)),
		(.round_trip_ns.p50 | span(1)), "\(.rounds)"])
	| table;

def rates($heading; $unit):
	[[$heading, "median", "of the rounds", "rounds"]]
	+ map([.system, (.per_second.median | figure($unit)), (.per_second | span($unit)), "\(.rounds)"])
	| table;

# Systems down, sizes across.
def by_size($heading; field; $unit):
	. as $rows
	| (map(.size_bytes) | unique) as $sizes
	| [[$heading] + ($sizes | map(bytes))]
	+ (group_by(.order) | map(. as $own
		| [.[0].system] + ($sizes | map(. as $size | [$own[] | select(.size_bytes == $size)][0]
			| if . then field | figure($unit) else "-" end))))
	| table;

def section($title; body): if length == 0 then empty else "", "#### " + $title, body end;

def of($test; $window): map(select(.test == $test and ($window == null or .window == $window)));

def state_tables($state):
	map(select(.state == $state))
	| (of("lat"; 1) | section("64 B there and back, one at a time"; round_trips)),
	  (of("rpc"; 1) | section("32 B request and reply, one at a time"; round_trips)),
	  (of("rpc"; 32) | section("32 B requests, 32 in flight"; rates("million a second"; 1e6))),
	  (of("each"; null) | section("64 B one way, each on its own"; rates("million a second"; 1e6))),
	  (of("stream"; null) | section("One way in bursts";
		by_size("thousand messages a second"; .per_second.median; 1e3), "",
		by_size("GB/s"; .bytes_per_second.median; 1e9)));

def test_name:
	{lat: "round trip", rpc: (if .window == 1 then "request and reply" else "\(.window) requests in flight" end),
	 each: "one way, each on its own", stream: "one way in bursts"}[.test] + " of " + (.size_bytes | bytes);

def ahead_line:
	({"messages a second": [1e6, " million"], "bytes a second": [1e9, " billion"]}[.figure] // [1, " ns"]) as [$unit, $name]
	| ([.value, .weft] | map(figure($unit) + $name)) as [$theirs, $ours]
	| "- \(test_name), \(.figure): \(.system) \($theirs), \(.weft_system) \($ours)"
	+ (if .overlap then " (their rounds overlap)" else "" end);

.rounds as $rounds
| (.machine
	| "\(.processor), \(.processors) processors\(if .virtual > 0 then " (a virtual machine)" else "" end), \(.system), \(.kernel); "
	+ "\(.date); cores \(.cores); rounds: \($rounds), \(.seconds) s a test.",
	(.versions | to_entries | select(length > 0) | "Peers: " + (map("\(.key) \(.value)") | join(", ")) + ".")),
"",
([["cores are", "tests", "one line there and back"]]
	+ ([.states[] as $s | [$s, "\(.records[$s])", (.lines_ns[$s] | span(1) + " ns")]])
	+ (if .records.changed then [["changed meanwhile", "\(.records.changed)", "not counted"]] else [] end)
	| table),
# A state that was seen in passing only is counted above, and has nothing to compare.
([.records[]] | add) as $total
| (. as $all | .states[] as $state | select($all.records[$state] * 10 >= $total)
	| "", "### Cores \($state)", ($all.rows | state_tables($state)),
	  (if $all.rows | any(.state == $state and .system == "weft") then
		"", "#### Where a peer is ahead of weft",
		($all.ahead | map(select(.state == $state)) | if length > 0 then .[] | ahead_line else "Nowhere in this run." end)
	   else empty end))
