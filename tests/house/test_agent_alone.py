"""The agent runs on GPU servers that have no Django: it must import with Django and the platform's parts blocked."""

import subprocess
import sys

BLOCKED = """
import importlib.abc, sys
BLOCKED = {"django", "rest_framework", "celery", "psycopg", "stripe", "billing", "tenants", "clusters"}

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ImportError(f"{name} must not be imported on a GPU server")

sys.meta_path.insert(0, Blocked())
"""


def test_the_agent_imports_without_django() -> None:
    program = BLOCKED + "import metering.agent.command, metering.agent.run, metering.agent.doctor, forecourt.cli"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_block_itself_works() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED + "import django"], capture_output=True, text=True, check=False
    )
    assert "must not be imported" in done.stderr
