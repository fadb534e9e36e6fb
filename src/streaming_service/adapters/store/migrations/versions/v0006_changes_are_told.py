"""changes of channels are told to whoever listens

In Postgres alone: whatever writes a channel notifies, older releases and people included. sqlite has its history, and
numbers it in the order of the commits.
"""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(
        """
        CREATE FUNCTION tell_channel_changed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'TRUNCATE' THEN
                PERFORM pg_notify('streaming_channels', '');
            ELSIF TG_OP = 'DELETE' THEN
                PERFORM pg_notify('streaming_channels', OLD.content_id);
            ELSE
                PERFORM pg_notify('streaming_channels', NEW.content_id);
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER channels_changed AFTER INSERT OR DELETE OR UPDATE OF document ON channels"
        " FOR EACH ROW EXECUTE FUNCTION tell_channel_changed()"
    )
    op.execute(
        "CREATE TRIGGER channels_emptied AFTER TRUNCATE ON channels"
        " FOR EACH STATEMENT EXECUTE FUNCTION tell_channel_changed()"
    )
