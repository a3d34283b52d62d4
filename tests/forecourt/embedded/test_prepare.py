import json
import os
import time
from fnmatch import fnmatch
from pathlib import Path

import pytest
from django.contrib.staticfiles.finders import get_finders

from forecourt.embedded.prepare import NOT_SERVED, static_files_are_current

OURS = ("portal/", "tenants/", "clusters/", "metering/", "billing/", "forecourt/", "account/", "mfa/")


def collected(root: Path, *, leave_out: int = 0) -> Path:
    """A manifest as collectstatic writes it, of every file that is served but `leave_out`."""
    names = sorted({path for finder in get_finders() for path, _ in finder.list([*NOT_SERVED])})
    assert names
    manifest = root / "staticfiles.json"
    manifest.write_text(json.dumps({"paths": {name: name for name in names[leave_out:]}, "version": "1.1"}))
    return manifest


def test_every_file_that_is_left_out_is_there_and_none_that_pages_name_is_left_out() -> None:
    everything = {path for finder in get_finders() for path, _ in finder.list([])}
    served = {path for finder in get_finders() for path, _ in finder.list([*NOT_SERVED])}
    for pattern in NOT_SERVED:
        assert any(fnmatch(path, f"*{pattern}*") for path in everything - served), pattern
    vendor = "admin/js/vendor"
    named = {"django_htmx/htmx-2.min.js", f"{vendor}/jquery/jquery.min.js", f"{vendor}/select2/select2.full.min.js"}
    assert named <= served
    assert {path for path in everything if path.startswith(OURS)} <= served


def test_files_collected_after_their_last_change_are_current(tmp_path: Path) -> None:
    manifest = collected(tmp_path)
    future_s = time.time() + 60
    os.utime(manifest, (future_s, future_s))
    assert static_files_are_current(tmp_path)


def test_file_changed_since_is_not_current(tmp_path: Path) -> None:
    os.utime(collected(tmp_path), (0, 0))
    assert not static_files_are_current(tmp_path)


def test_file_never_collected_is_not_current(tmp_path: Path) -> None:
    manifest = collected(tmp_path, leave_out=1)
    future_s = time.time() + 60
    os.utime(manifest, (future_s, future_s))
    assert not static_files_are_current(tmp_path)


@pytest.mark.parametrize("content", [None, "", "{}", "no json"])
def test_missing_or_broken_manifest_is_not_current(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "staticfiles.json").write_text(content)
    assert not static_files_are_current(tmp_path)
