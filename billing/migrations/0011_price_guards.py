"""Published prices take no price more; rules and public prices are append-only; notices only learn that they were
seen; a published draft stands."""

from django.db import migrations
from django.db.migrations.operations import RunSQL

from tenants.guards import append_only

PRICES = ("billing_tokenprice", "billing_gpuprice", "billing_unitprice")

# A version and its prices are written in one transaction: the version's row is in progress exactly until it ends.
# pg_xact_status tells that of our own transaction with all its savepoints; of one long past it says nothing (null).
COMPLETE = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_price_of_new_version() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            now_id bigint := pg_current_xact_id()::text::bigint;
            made_id bigint;
        BEGIN
            SELECT xmin::text::bigint INTO made_id FROM billing_priceversion WHERE id = NEW.version_id;
            made_id := (now_id >> 32 << 32) + made_id;
            IF made_id > now_id + 1000000 OR pg_xact_status(made_id::text::xid8) IS DISTINCT FROM 'in progress' THEN
                RAISE EXCEPTION 'the price version is published: a price more is refused'
                    USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        *(
            f"CREATE TRIGGER {table}_complete BEFORE INSERT ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION forecourt_price_of_new_version()"
            for table in PRICES
        ),
    ],
    [
        *(f"DROP TRIGGER {table}_complete ON {table}" for table in PRICES),
        "DROP FUNCTION forecourt_price_of_new_version()",
    ],
)

SEEN_ONCE = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_price_notice_stands() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' OR OLD.seen_at IS NOT NULL
                OR (to_jsonb(NEW) - ARRAY['seen_at', 'seen_by']) <> (to_jsonb(OLD) - ARRAY['seen_at', 'seen_by']) THEN
                RAISE EXCEPTION 'a price notice stands: % refused', TG_OP USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        "CREATE TRIGGER billing_pricenotice_stands BEFORE UPDATE OR DELETE ON billing_pricenotice "
        "FOR EACH ROW EXECUTE FUNCTION forecourt_price_notice_stands()",
        """
        CREATE FUNCTION forecourt_price_draft_published() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF OLD.published_id IS NOT NULL THEN
                RAISE EXCEPTION 'the draft is published: % refused', TG_OP USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
        END $$
        """,
        "CREATE TRIGGER billing_pricedraft_published BEFORE UPDATE OR DELETE ON billing_pricedraft "
        "FOR EACH ROW EXECUTE FUNCTION forecourt_price_draft_published()",
    ],
    [
        "DROP TRIGGER billing_pricedraft_published ON billing_pricedraft",
        "DROP FUNCTION forecourt_price_draft_published()",
        "DROP TRIGGER billing_pricenotice_stands ON billing_pricenotice",
        "DROP FUNCTION forecourt_price_notice_stands()",
    ],
)


class Migration(migrations.Migration):
    dependencies = [("billing", "0010_price_changes"), ("tenants", "0002_guards")]
    operations = [
        append_only("billing_unitprice"),
        append_only("billing_contractpricerule"),
        append_only("billing_indeximport"),
        append_only("billing_indexprice"),
        COMPLETE,
        SEEN_ONCE,
    ]
