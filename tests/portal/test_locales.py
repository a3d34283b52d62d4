from __future__ import annotations

from django.utils.translation import deactivate_all, override

from portal.figures import EN, ZH
from portal.locales import active_locale


def test_figures_are_written_in_the_language_that_is_active() -> None:
    with override("zh-hans"):
        assert active_locale() == ZH
    with override("en"):
        assert active_locale() == EN


def test_where_no_language_is_active_they_are_english() -> None:
    with override("zh-hans"):
        deactivate_all()
        assert active_locale() == EN
