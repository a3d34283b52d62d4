"""``python -m tests.fakes.stripe_double``."""

from tests.fakes.stripe_double.server import main

if __name__ == "__main__":
    main()
