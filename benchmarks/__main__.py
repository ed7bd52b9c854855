"""All measurements, one after the other: `python -m benchmarks`."""

from benchmarks import collect, export, hierarchy, sessions

for benchmark in (collect, hierarchy, export, sessions):
    benchmark.main()
    print()
