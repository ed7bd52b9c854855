"""All measurements, one after the other: `python -m benchmarks`."""

from benchmarks import collect, export, sessions

for benchmark in (collect, export, sessions):
    benchmark.main()
    print()
