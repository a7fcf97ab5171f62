import accounts.models
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0007_audit_append_only'),
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='ServiceAccountRole',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('all_staff', models.BooleanField(default=False, verbose_name='all staff')),
                ('can_use', models.BooleanField(default=False, verbose_name='use')),
                ('can_view', models.BooleanField(default=False, verbose_name='view')),
                ('can_manage', models.BooleanField(default=False, verbose_name='manage')),
                ('can_rotate', models.BooleanField(default=False, verbose_name='rotate')),
            ],
            options={
                'verbose_name': 'role',
            },
        ),
        migrations.AddField(
            model_name='serviceaccount',
            name='allowed_servers',
            field=models.JSONField(default=accounts.models.only_transfer, verbose_name='may act at'),
        ),
        migrations.AddField(
            model_name='serviceaccountsecret',
            name='age_reminder_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='serviceaccountsecret',
            name='last_test_result',
            field=models.CharField(blank=True, max_length=30),
        ),
        migrations.AddField(
            model_name='serviceaccountsecret',
            name='last_tested_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='serviceaccountsecret',
            name='promoted_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='serviceaccountsecret',
            name='retired_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='serviceaccountsecret',
            name='unused_reminder_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='serviceaccountsecret',
            name='used_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddConstraint(
            model_name='serviceaccountsecret',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'new')), fields=('service_account',), name='one_new_secret'),
        ),
        migrations.AddField(
            model_name='serviceaccountrole',
            name='group',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='auth.group'),
        ),
        migrations.AddField(
            model_name='serviceaccountrole',
            name='service_account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='roles', to='accounts.serviceaccount'),
        ),
        migrations.AddField(
            model_name='serviceaccountrole',
            name='user',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='serviceaccountrole',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('all_staff', False), ('group__isnull', True), ('user__isnull', False)), models.Q(('all_staff', False), ('group__isnull', False), ('user__isnull', True)), models.Q(('all_staff', True), ('group__isnull', True), ('user__isnull', True)), _connector='OR'), name='role_has_one_holder', violation_error_message='Name a person, or a group, or all staff.'),
        ),
        migrations.AddConstraint(
            model_name='serviceaccountrole',
            constraint=models.UniqueConstraint(fields=('service_account', 'user'), name='one_role_row_per_person'),
        ),
        migrations.AddConstraint(
            model_name='serviceaccountrole',
            constraint=models.UniqueConstraint(fields=('service_account', 'group'), name='one_role_row_per_group'),
        ),
        migrations.AddConstraint(
            model_name='serviceaccountrole',
            constraint=models.UniqueConstraint(condition=models.Q(('all_staff', True)), fields=('service_account',), name='one_role_row_for_all_staff'),
        ),
    ]
