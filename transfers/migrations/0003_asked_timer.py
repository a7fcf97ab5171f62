"""Timers that a form asked for."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("transfers", "0002_schedule_and_ledger"),
    ]

    operations = [
        migrations.CreateModel(
            name="AskedTimer",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("timer_id", models.UUIDField(null=True)),
                ("claimed_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
    ]
