"""Staff go on using the service accounts that there are, as they could before roles."""

from django.db import migrations

ADD = """
INSERT INTO accounts_serviceaccountrole
    (service_account_id, all_staff, can_use, can_view, can_manage, can_rotate)
SELECT id, true, true, false, false, false FROM accounts_serviceaccount;
"""


class Migration(migrations.Migration):

    dependencies = [("accounts", "0008_service_account_roles")]

    operations = [migrations.RunSQL(ADD, migrations.RunSQL.noop)]
