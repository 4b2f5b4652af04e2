"""Run the benchmarks and print a table each."""

from benchmarks import starts

if __name__ == "__main__":
    starts.main()
