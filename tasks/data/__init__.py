"""Where the data of benchmarks is, and how it is fetched, unpacked and verified."""
