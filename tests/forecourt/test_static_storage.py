"""Static files are served compressed by gzip, under names that follow their content."""

from pathlib import Path

from django.core.files.base import ContentFile

from forecourt import settings
from forecourt.static_storage import GzipManifestStorage


def test_it_is_the_storage_that_serves() -> None:
    assert settings.STORAGES["staticfiles"]["BACKEND"] == "forecourt.static_storage.GzipManifestStorage"


def test_a_collected_file_gets_a_name_of_its_content_and_a_gzip_copy(tmp_path: Path) -> None:
    storage = GzipManifestStorage(location=str(tmp_path), base_url="/static/")
    text = "body { margin: 0 }\n" * 200
    storage.save("plain.css", ContentFile(text.encode()))
    done = list(storage.post_process({"plain.css": (storage, "plain.css")}))
    assert not [each for each in done if isinstance(each[2], Exception)]
    named = storage.stored_name("plain.css")
    assert named != "plain.css"
    assert (tmp_path / named).read_text() == text
    assert (tmp_path / f"{named}.gz").stat().st_size < len(text) / 4
    assert not list(tmp_path.glob("*.br"))
