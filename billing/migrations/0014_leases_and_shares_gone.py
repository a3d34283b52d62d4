"""The tables of leases and token shares go, and what is agreed cannot change any more."""

from django.db import migrations
from django.db.migrations.operations import RunSQL

from tenants.guards import append_only

# A term's time may change, as later versions end or extend it; what it is may not, and it never goes.
SAME_TERM = RunSQL(
    [
        """
        CREATE FUNCTION forecourt_term_same() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' OR (NEW.contract_id, NEW.kind, NEW.ref) <> (OLD.contract_id, OLD.kind, OLD.ref) THEN
                RAISE EXCEPTION 'term %: % refused', OLD.ref, TG_OP USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NEW;
        END $$
        """,
        """
        CREATE TRIGGER billing_term_same BEFORE UPDATE OR DELETE ON billing_term
            FOR EACH ROW EXECUTE FUNCTION forecourt_term_same()
        """,
    ],
    ["DROP TRIGGER billing_term_same ON billing_term", "DROP FUNCTION forecourt_term_same()"],
)


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0013_leases_and_shares_moved'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='leaseallocation',
            name='lease',
        ),
        migrations.RemoveField(
            model_name='leaseallocation',
            name='allocation',
        ),
        migrations.RemoveField(
            model_name='tokenshare',
            name='contract',
        ),
        migrations.RemoveField(
            model_name='tokensharedeployment',
            name='term',
        ),
        migrations.RemoveField(
            model_name='tokensharedeployment',
            name='deployment',
        ),
        migrations.DeleteModel(
            name='Lease',
        ),
        migrations.DeleteModel(
            name='LeaseAllocation',
        ),
        migrations.DeleteModel(
            name='TokenShare',
        ),
        migrations.DeleteModel(
            name='TokenShareDeployment',
        ),
        append_only("billing_contractversion"),
        append_only("billing_termwording"),
        append_only("billing_termfact"),
        append_only("billing_periodcarry"),
        SAME_TERM,
    ]
