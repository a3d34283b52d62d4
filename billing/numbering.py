"""The next number of a contract or term, as people read it: C-0001, L-0001, S-0001."""

from django.db import connection, models
from psycopg import sql

NUMBER_DIGITS_MIN = 4


def next_number(*, model: type[models.Model], field: str, prefix: str) -> str:
    """Return the number after the highest one of `prefix` that `field` of `model` holds.

    Must run in a transaction: others who number the same prefix wait until it ends. A number of another form,
    given by hand, is left out of the count.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"forecourt.numbering.{prefix}"])
        # A statement of its own: it must see what the one who was waited for stored.
        column = sql.Identifier(field)
        highest_of = sql.SQL("SELECT max(substr({}, %s)::integer) FROM {} WHERE {} ~ %s")
        statement = highest_of.format(column, sql.Identifier(model._meta.db_table), column).as_string()
        cursor.execute(statement, [len(prefix) + 2, rf"^{prefix}-\d{{1,9}}$"])
        (highest,) = cursor.fetchone()
    return f"{prefix}-{(highest or 0) + 1:0{NUMBER_DIGITS_MIN}d}"
