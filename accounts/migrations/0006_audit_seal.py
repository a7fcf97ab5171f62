import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_session'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditSeal',
            fields=[
                ('number', models.BigIntegerField(primary_key=True, serialize=False)),
                ('event_id', models.BigIntegerField(unique=True)),
                ('digest', models.CharField(max_length=64)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['number'],
            },
        ),
        migrations.CreateModel(
            name='AuditUnsealed',
            fields=[
                ('event_id', models.BigIntegerField(primary_key=True, serialize=False)),
            ],
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['kind', 'at'], name='audit_kind_at'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['request_id'], name='audit_request'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['credential_id'], name='audit_credential'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(fields=['address'], name='audit_address'),
        ),
        migrations.AddIndex(
            model_name='auditevent',
            index=models.Index(condition=models.Q(('outcome', 'ok'), _negated=True), fields=['-id'], name='audit_not_ok'),
        ),
    ]
