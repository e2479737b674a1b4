# SPDX-License-Identifier: Apache-2.0
# From what one test printed to records of perf/compare: its own, and the machine's limit if it was measured beside it.
{
	round: $round,
	system: $system,
	test: $test,
	size_bytes: $size,
	window: $window,
	touched: (.touched != false),
	state: (if $before == $after then $before else "changed" end),
	line_before_ns: $before_ns,
	line_after_ns: $after_ns
} as $frame
| . as $result
| if $result.per_second or $result.round_trip_ns then . else error("no figure; too short a time for this size?") end
| ($frame + {per_second: $result.per_second, bytes_per_second: $result.bytes_per_second}
	+ (if $window == 1 then {round_trip_ns: $result.round_trip_ns} else {} end)
	| with_entries(select(.value != null))),
  (if $test == "lat" and $result.floor_round_trip_ns then
	$frame + {system: "floor", round_trip_ns: $result.floor_round_trip_ns}
   else empty end)
