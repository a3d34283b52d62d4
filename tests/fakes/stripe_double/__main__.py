"""``python -m tests.fakes.stripe_double``."""

import gc
import sys

# Started often, so it loads little. The package looks for libraries to send requests with, and no request is sent here.
sys.modules.update(dict.fromkeys(("httpx", "requests"), None))  # type: ignore[arg-type]  # None: not to be imported
gc.disable()

from tests.fakes.stripe_double.server import main  # noqa: E402  after what it shall not load was put aside

if __name__ == "__main__":
    gc.freeze()
    gc.enable()
    main()
