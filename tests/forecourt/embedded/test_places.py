import os
from pathlib import Path

import psycopg.conninfo
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecourt.embedded.places import SOCKET_PATH_BYTES_MAX, places_of

USER = 1000


def test_everything_lies_in_the_data_folder_for_an_ordinary_user() -> None:
    places = places_of(Path("/srv/forecourt"), uid=USER)
    inside = (
        places.postgres,
        places.broker,
        places.logs,
        places.lock,
        places.format,
        places.secret_key,
        places.beat_schedule,
        places.sockets,
        places.postgres_socket,
        places.broker_socket,
    )
    assert len(set(inside)) == len(inside)
    assert all(path.is_relative_to("/srv/forecourt") for path in inside)


def test_root_reaches_the_sockets_through_a_folder_that_others_cannot_make() -> None:
    sockets = places_of(Path("/srv/forecourt"), uid=0).sockets
    assert sockets.parent in (Path("/run"), Path("/var/run"))


def test_default_user_is_the_effective_one() -> None:
    assert places_of(Path("/srv/x")) == places_of(Path("/srv/x"), uid=os.geteuid())


def test_relative_and_linked_paths_are_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    assert places_of(Path("link")) == places_of(Path("real")) == places_of(tmp_path / "real")


@given(
    st.text(
        st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=150
    ),
    st.sampled_from([0, USER]),
)
def test_sockets_always_fit_and_do_not_collide(name: str, uid: int) -> None:
    places = places_of(Path("/srv") / f"a{name}", uid=uid)
    other = places_of(Path("/srv") / f"b{name}", uid=uid)
    for path in (places.broker_socket, places.postgres_socket.with_name(".s.PGSQL.5432.lock")):
        assert len(os.fsencode(path)) <= SOCKET_PATH_BYTES_MAX
    assert places.sockets != other.sockets


def test_two_users_do_not_share_a_short_folder() -> None:
    long = Path("/srv") / ("x" * 200)
    assert places_of(long, uid=USER).sockets != places_of(long, uid=USER + 1).sockets


@pytest.mark.parametrize("folder", ["/srv/plain", "/srv/with space", "/srv/per%cent&q=?", "/srv/ü"])
def test_database_url_is_read_back_by_libpq(folder: str) -> None:
    places = places_of(Path(folder), uid=USER)
    read = psycopg.conninfo.conninfo_to_dict(places.url_of_database("other", role="reader"))
    assert read == {"host": f"{folder}/run", "port": "5432", "user": "reader", "dbname": "other"}
