"""The next number of a contract or term, as people read it: C-0001, L-0001, S-0001."""

from django.db import connection, models
from django.db.models import IntegerField, Max
from django.db.models.functions import Cast, Substr

NUMBER_DIGITS_MIN = 4


def next_number(*, model: type[models.Model], field: str, prefix: str) -> str:
    """Return the number after the highest one of `prefix` that `field` of `model` holds.

    Must run in a transaction: others who number the same prefix wait until it ends. A number of another form,
    given by hand, is left out of the count.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"forecourt.numbering.{prefix}"])
    highest = (
        model._default_manager.filter(**{f"{field}__regex": rf"^{prefix}-\d{{1,9}}$"})
        .annotate(running=Cast(Substr(field, len(prefix) + 2), IntegerField()))
        .aggregate(highest=Max("running"))["highest"]
    )
    return f"{prefix}-{(highest or 0) + 1:0{NUMBER_DIGITS_MIN}d}"
