"""`python -m tests.venues.seeded`: the seeds at each venue's local server."""

from tests.venues.seeded.seeds import main

if __name__ == "__main__":
    raise SystemExit(main())
