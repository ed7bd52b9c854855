"""All measurements, one after the other: `python -m benchmarks`."""

from benchmarks import collect, export, hierarchy, openshift, sessions

for benchmark in (collect, hierarchy, export, sessions, openshift):
    benchmark.main()
    print()
