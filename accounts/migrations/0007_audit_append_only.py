"""The database itself refuses to change or to empty the audit, and notes new entries.

Entries that exist already are noted as unsealed, so that the chain begins with them.
"""

from django.db import migrations

ADD = """
CREATE FUNCTION causeway_audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit can only be added to (% on %)', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION causeway_audit_note_unsealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO accounts_auditunsealed (event_id) VALUES (NEW.id);
    RETURN NULL;
END $$;

CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON accounts_auditevent
    FOR EACH ROW EXECUTE FUNCTION causeway_audit_is_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON accounts_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION causeway_audit_is_append_only();
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON accounts_auditseal
    FOR EACH ROW EXECUTE FUNCTION causeway_audit_is_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON accounts_auditseal
    FOR EACH STATEMENT EXECUTE FUNCTION causeway_audit_is_append_only();
CREATE TRIGGER audit_unsealed AFTER INSERT ON accounts_auditevent
    FOR EACH ROW EXECUTE FUNCTION causeway_audit_note_unsealed();

INSERT INTO accounts_auditunsealed (event_id) SELECT id FROM accounts_auditevent;
"""

REMOVE = """
DROP TRIGGER audit_unsealed ON accounts_auditevent;
DROP TRIGGER audit_no_truncate ON accounts_auditseal;
DROP TRIGGER audit_no_change ON accounts_auditseal;
DROP TRIGGER audit_no_truncate ON accounts_auditevent;
DROP TRIGGER audit_no_change ON accounts_auditevent;
DROP FUNCTION causeway_audit_note_unsealed();
DROP FUNCTION causeway_audit_is_append_only();
DELETE FROM accounts_auditunsealed;
"""


class Migration(migrations.Migration):

    dependencies = [("accounts", "0006_audit_seal")]

    operations = [migrations.RunSQL(ADD, REMOVE)]
