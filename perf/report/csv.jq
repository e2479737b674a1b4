# SPDX-License-Identifier: Apache-2.0
# compare.json as a table for other programs: medians, and the lowest and highest of what each test is about.
["state", "test", "size_bytes", "window", "system", "touched", "rounds", "p50_ns", "p50_low_ns", "p50_high_ns", "p90_ns",
 "p99_ns", "p99_9_ns", "max_ns", "per_second", "per_second_low", "per_second_high", "bytes_per_second"],
(.rows[] | [
	.state, .test, .size_bytes, .window, .system, .touched, .rounds,
	.round_trip_ns.p50.median, .round_trip_ns.p50.low, .round_trip_ns.p50.high, .round_trip_ns.p90.median,
	.round_trip_ns.p99.median, .round_trip_ns.p99_9.median, .round_trip_ns.max.median,
	.per_second.median, .per_second.low, .per_second.high, .bytes_per_second.median])
| @csv
