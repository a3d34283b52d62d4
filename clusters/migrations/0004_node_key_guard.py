"""Keys of nodes are facts: once stored, only the first batch that a key signed may be filled in."""

from django.db import migrations

# Every node has its present key in the table; what it shipped until now was signed with it.
BACKFILL = migrations.RunSQL(
    """
    INSERT INTO clusters_nodekey
        (id, node_id, version, public_key, origin, first_seq, added_at, statement, signature)
    SELECT gen_random_uuid(), id, key_version, public_key, 'enrolled', 1, coalesce(enrolled_at, created_at), ''::bytea, ''
    FROM clusters_node WHERE public_key IS NOT NULL
    """,
    migrations.RunSQL.noop,
)
GUARD = migrations.RunSQL(
    [
        "CREATE TRIGGER clusters_nodekey_kept BEFORE DELETE ON clusters_nodekey "
        "FOR EACH ROW EXECUTE FUNCTION forecourt_refuse_change()",
        "CREATE TRIGGER clusters_nodekey_once BEFORE UPDATE ON clusters_nodekey FOR EACH ROW WHEN ("
        "OLD.first_seq IS NOT NULL OR (OLD.id, OLD.node_id, OLD.version, OLD.public_key, OLD.origin, OLD.added_at, "
        "OLD.statement, OLD.signature) IS DISTINCT FROM (NEW.id, NEW.node_id, NEW.version, NEW.public_key, NEW.origin, "
        "NEW.added_at, NEW.statement, NEW.signature)) EXECUTE FUNCTION forecourt_refuse_change()",
        "CREATE TRIGGER clusters_nodekey_no_truncate BEFORE TRUNCATE ON clusters_nodekey "
        "FOR EACH STATEMENT EXECUTE FUNCTION forecourt_refuse_change()",
    ],
    [
        "DROP TRIGGER IF EXISTS clusters_nodekey_kept ON clusters_nodekey",
        "DROP TRIGGER IF EXISTS clusters_nodekey_once ON clusters_nodekey",
        "DROP TRIGGER IF EXISTS clusters_nodekey_no_truncate ON clusters_nodekey",
    ],
)


class Migration(migrations.Migration):
    dependencies = [("clusters", "0003_node_keys"), ("tenants", "0002_guards")]
    operations = [BACKFILL, GUARD]
