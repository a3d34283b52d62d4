"""A card is held whole or in parts, never both, and a key of a node stays what it is: the database refuses all else."""

from django.db.migrations.operations import RunSQL


ALLOCATION_CARD = RunSQL(
    [
        """
        CREATE FUNCTION clusters_allocation_card() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            SELECT accelerator_id, CASE kind WHEN 'whole' THEN 1 ELSE 0 END
            INTO NEW.accelerator_id, NEW.whole_card
            FROM clusters_slice WHERE id = NEW.slice_id;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER clusters_allocation_card BEFORE INSERT OR UPDATE OF slice_id ON clusters_allocation
            FOR EACH ROW EXECUTE FUNCTION clusters_allocation_card()
        """,
    ],
)

SLICE_KEEPS_CARD = RunSQL(
    [
        """
        CREATE FUNCTION clusters_slice_keeps_card() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'slice % keeps its card and kind', OLD.id USING ERRCODE = 'restrict_violation';
        END $$
        """,
        """
        CREATE TRIGGER clusters_slice_keeps_card BEFORE UPDATE ON clusters_slice
            FOR EACH ROW WHEN (((old.accelerator_id IS DISTINCT FROM new.accelerator_id) OR ((old.kind)::text IS DISTINCT FROM (new.kind)::text))) EXECUTE FUNCTION clusters_slice_keeps_card()
        """,
    ],
)

KEPT = RunSQL(
    [
        """
        CREATE TRIGGER clusters_nodekey_kept BEFORE DELETE ON clusters_nodekey
            FOR EACH ROW EXECUTE FUNCTION forecourt_refuse_change()
        """,
        """
        CREATE TRIGGER clusters_nodekey_no_truncate BEFORE TRUNCATE ON clusters_nodekey
            FOR EACH STATEMENT EXECUTE FUNCTION forecourt_refuse_change()
        """,
        """
        CREATE TRIGGER clusters_nodekey_once BEFORE UPDATE ON clusters_nodekey
            FOR EACH ROW WHEN (
            OLD.first_seq IS NOT NULL OR (OLD.id, OLD.node_id, OLD.version, OLD.public_key, OLD.origin, OLD.added_at,
            OLD.statement, OLD.signature) IS DISTINCT FROM (NEW.id, NEW.node_id, NEW.version, NEW.public_key, NEW.origin,
            NEW.added_at, NEW.statement, NEW.signature)) EXECUTE FUNCTION forecourt_refuse_change()
        """,
    ],
)

WHOLE_OR_IN_PARTS = RunSQL(
    [
        "ALTER TABLE clusters_allocation ADD COLUMN accelerator_id uuid NOT NULL, "
        "ADD COLUMN whole_card smallint NOT NULL",
        *ALLOCATION_CARD.sql,
        "ALTER TABLE clusters_allocation ADD CONSTRAINT one_card_one_use EXCLUDE USING gist "
        "(accelerator_id WITH =, whole_card WITH <>, tstzrange(from_at, to_at, '[)') WITH &&)",
    ],
)
"""An allocation gets its card and whether it takes the whole of it; a trigger fills both from the slice.

The constraint's index also answers which slices of a card are free over a span.
"""

GUARDS = [
    WHOLE_OR_IN_PARTS,
    SLICE_KEEPS_CARD,
    KEPT,
]
