"""`python -m tests.simulation.harsh`: the seeds of the harsh profiles."""

from tests.simulation.harsh.seeds import main

if __name__ == "__main__":
    raise SystemExit(main())
