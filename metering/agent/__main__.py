"""`python -m metering.agent`: the same as `forecourt agent`."""

import sys

from metering.agent.command import main

sys.exit(main(sys.argv[1:]))
