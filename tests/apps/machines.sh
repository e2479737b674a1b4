# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A machine made of files, for `weft info` and `weft doctor`: two NUMA nodes of four cores with two threads each (CPUs 0-7
# and 8-15), set up so that nothing is to be said about it. Tests then spoil one thing at a time.
# shellcheck disable=SC2154 # scratch is lib.sh's
machine=$scratch/machine

# put PATH TEXT: a file of the machine.
put()
{
	mkdir -p "$machine/${1%/*}"
	printf '%b\n' "$2" >"$machine/$1"
}

build_machine()
{
	local node cpu kib
	put proc/thread-self/status "Name:\tx\nCpus_allowed_list:\t0-15"
	put proc/self/cgroup "0::/job"
	put proc/self/mountinfo "30 23 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"
	put proc/self/limits "Limit  Soft Limit  Hard Limit  Units\nMax open files            65536                65536                files\nMax locked memory         unlimited            unlimited            bytes\nMax processes             96364                96364                processes"
	put proc/meminfo "MemTotal:       33554432 kB\nMemFree:  30000000 kB\nMemAvailable:   31457280 kB\nSwapTotal:  0 kB\nSwapFree:  0 kB"
	put proc/sys/kernel/numa_balancing 0
	put proc/sys/kernel/sched_rt_runtime_us 950000
	put proc/sys/kernel/yama/ptrace_scope 1
	put proc/irq/24/effective_affinity_list 0
	put proc/irq/25/smp_affinity_list 1
	put proc/1/comm init
	put sys/devices/system/clocksource/clocksource0/current_clocksource tsc
	put sys/devices/system/clocksource/clocksource0/available_clocksource "tsc hpet acpi_pm"
	put sys/devices/system/cpu/isolated 2-7
	put sys/kernel/mm/transparent_hugepage/enabled "always [madvise] never"
	put sys/kernel/mm/transparent_hugepage/shmem_enabled "always within_size advise [never] deny force"
	for cpu in $(seq 0 15); do
		put "sys/devices/system/cpu/cpu$cpu/cpufreq/scaling_governor" performance
		put "sys/devices/system/cpu/cpu$cpu/cpufreq/scaling_max_freq" 3700000
		put "sys/devices/system/cpu/cpu$cpu/cpufreq/cpuinfo_max_freq" 3700000
	done
	for node in 0 1; do
		put "sys/devices/system/node/node$node/meminfo" "Node $node MemTotal:  16777216 kB\nNode $node MemFree:  8388608 kB\nNode $node Inactive(file):  2097152 kB"
		for kib in 2048 1048576; do
			put "sys/devices/system/node/node$node/hugepages/hugepages-${kib}kB/nr_hugepages" 512
			put "sys/devices/system/node/node$node/hugepages/hugepages-${kib}kB/free_hugepages" $((500 + node))
		done
	done
}
make_machine()
{
	[ -e "$scratch/pattern" ] || { build_machine && mv "$machine" "$scratch/pattern"; }
	rm -rf "$machine"
	cp -r "$scratch/pattern" "$machine"
}
machine_is=(--root "$machine" --synthetic 'package:2 numa:1 core:4 pu:2')
