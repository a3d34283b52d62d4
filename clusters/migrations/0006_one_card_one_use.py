"""A card is held whole or in parts at any instant, never both: the database refuses it, whoever writes.

An allocation gets its card and whether it takes the whole of it; a trigger fills both from the slice, which never
changes its card. The constraint's index also answers which slices of a card are free over a span.
"""

from django.db import migrations

COLUMNS = migrations.RunSQL(
    [
        "SET LOCAL lock_timeout = '5s'",
        "ALTER TABLE clusters_allocation ADD COLUMN accelerator_id uuid, ADD COLUMN whole_card smallint",
        """
        CREATE FUNCTION clusters_allocation_card() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            SELECT accelerator_id, CASE kind WHEN 'whole' THEN 1 ELSE 0 END
            INTO NEW.accelerator_id, NEW.whole_card
            FROM clusters_slice WHERE id = NEW.slice_id;
            RETURN NEW;
        END $$
        """,
        "CREATE TRIGGER clusters_allocation_card BEFORE INSERT OR UPDATE OF slice_id ON clusters_allocation "
        "FOR EACH ROW EXECUTE FUNCTION clusters_allocation_card()",
        "UPDATE clusters_allocation SET accelerator_id = held.accelerator_id, "
        "whole_card = CASE held.kind WHEN 'whole' THEN 1 ELSE 0 END "
        "FROM clusters_slice AS held WHERE held.id = slice_id",
    ],
    [
        "DROP TRIGGER clusters_allocation_card ON clusters_allocation",
        "DROP FUNCTION clusters_allocation_card()",
        "ALTER TABLE clusters_allocation DROP COLUMN accelerator_id, DROP COLUMN whole_card",
    ],
)
CONSTRAINT = migrations.RunSQL(
    [
        "ALTER TABLE clusters_allocation ALTER COLUMN accelerator_id SET NOT NULL, "
        "ALTER COLUMN whole_card SET NOT NULL",
        "ALTER TABLE clusters_allocation ADD CONSTRAINT one_card_one_use EXCLUDE USING gist "
        "(accelerator_id WITH =, whole_card WITH <>, tstzrange(from_at, to_at, '[)') WITH &&)",
        # A card that somebody holds cannot become another slice's: the two columns above would be wrong.
        """
        CREATE FUNCTION clusters_slice_keeps_card() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'slice % keeps its card and kind', OLD.id USING ERRCODE = 'restrict_violation';
        END $$
        """,
        "CREATE TRIGGER clusters_slice_keeps_card BEFORE UPDATE ON clusters_slice FOR EACH ROW "
        "WHEN ((OLD.accelerator_id, OLD.kind) IS DISTINCT FROM (NEW.accelerator_id, NEW.kind)) "
        "EXECUTE FUNCTION clusters_slice_keeps_card()",
    ],
    [
        "DROP TRIGGER clusters_slice_keeps_card ON clusters_slice",
        "DROP FUNCTION clusters_slice_keeps_card()",
        "ALTER TABLE clusters_allocation DROP CONSTRAINT one_card_one_use",
        "ALTER TABLE clusters_allocation ALTER COLUMN accelerator_id DROP NOT NULL, "
        "ALTER COLUMN whole_card DROP NOT NULL",
    ],
)


class Migration(migrations.Migration):
    dependencies = [("clusters", "0005_cards")]
    operations = [COLUMNS, CONSTRAINT]
