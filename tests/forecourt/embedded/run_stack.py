"""A supervisor in a process of its own, so that tests can kill it: `run_stack parts|platform PORT`.

Says one line of JSON when it serves. With `parts` only PostgreSQL and the broker; the folder is FORECOURT_DATA_DIR.
"""

import json
import os
import sys

from forecourt.embedded.folder import CannotStart
from forecourt.embedded.stack import Serving, parts, serve, stopping_on_signals
from forecourt.embedded.supervisor import Supervisor
from forecourt.env import read_environment


def run_parts() -> None:
    environment = read_environment(os.environ)
    supervisor = Supervisor(say=lambda line: print(line, file=sys.stderr, flush=True))
    with stopping_on_signals(supervisor), parts(environment, supervisor) as places:
        url = places.url_of_database("postgres", role="postgres")
        facts = {"superuser_url": url, "database_url": environment.database_url, "pids": supervisor.pids()}
        print(json.dumps({**facts, "broker_socket": str(places.broker_socket)}), flush=True)
        supervisor.watch()


def run_platform(port: int) -> None:
    module = "tests.forecourt.embedded.sample_platform"
    serving = Serving(
        port=port,
        web_processes=1,
        worker_processes=1,
        wsgi=f"{module}:application",
        celery=f"{module}:app",
        beat=f"{module}:app",
    )

    def say(line: str) -> None:
        print(json.dumps({"says": line}), flush=True)

    serve(read_environment(os.environ), os.environ, serving, say=say, prepare=(sys.executable, "-c", ""))


def main(argv: list[str]) -> int:
    try:
        if argv[0] == "parts":
            run_parts()
        else:
            run_platform(int(argv[1]))
    except CannotStart as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
