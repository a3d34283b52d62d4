from pathlib import Path

import pytest

from forecourt.embedded.folder import CannotStart, service_account
from forecourt.embedded.places import Places, places_of
from forecourt.embedded.postgres import make_cluster, postgres_answers, start_postgres
from forecourt.embedded.supervisor import Supervisor
from tests.forecourt.embedded.stacks import site


def start(places: Places) -> None:
    supervisor = Supervisor(say=print)
    try:
        start_postgres(supervisor, places, service_account(), durable=False)
    finally:
        supervisor.stop()


def test_folder_of_another_major_version_is_refused_untouched(tmp_path: Path) -> None:
    places = Places(data=tmp_path, sockets=tmp_path / "run")
    places.postgres.mkdir()
    (places.postgres / "PG_VERSION").write_text("15\n")
    with pytest.raises(CannotStart, match=r"was written by PostgreSQL 15, and the installed one is 18\..*pg_dump"):
        start(places)
    assert [path.name for path in places.postgres.iterdir()] == ["PG_VERSION"]


def test_folder_that_is_no_cluster_is_refused(tmp_path: Path) -> None:
    places = Places(data=tmp_path, sockets=tmp_path / "run")
    places.postgres.mkdir()
    with pytest.raises(CannotStart, match="is no database folder"):
        start(places)


def test_interrupted_initialization_is_begun_anew() -> None:
    with site() as place:
        places = places_of(place.folder)
        draft = places.data / "postgres.initializing"
        (draft / "base" / "1").mkdir(parents=True)
        (draft / "postgresql.conf").write_text("port = 1\n")
        place.folder.chmod(0o700)
        assert place.up().stop() == 0
        assert (places.postgres / "PG_VERSION").exists()
        assert not draft.exists()


def test_nobody_answers_before_the_start(tmp_path: Path) -> None:
    assert not postgres_answers(Places(data=tmp_path, sockets=tmp_path))


def test_failed_initialization_tells_why() -> None:
    with site() as place:
        place.folder.mkdir()
        place.folder.parent.chmod(0o755)
        initdb = place.folder.parent / "initdb"
        initdb.write_text("#!/bin/sh\necho no room >&2\nexit 1\n")
        initdb.chmod(0o755)
        places = places_of(place.folder)
        with pytest.raises(CannotStart, match="cannot be made: no room"):
            make_cluster(initdb, places, service_account(), durable=False)
        assert not places.postgres.exists()
