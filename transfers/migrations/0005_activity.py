import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    # The data step is one statement on few rows, so it stands with the schema.

    dependencies = [
        ("transfers", "0004_desk"),
    ]

    operations = [
        migrations.CreateModel(
            name="Sample",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "transfer_id",
                        "slot",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "transfer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="samples",
                        to="transfers.transfer",
                    ),
                ),
                ("slot", models.PositiveSmallIntegerField()),
                ("at", models.DateTimeField()),
                ("bytes_moved", models.PositiveBigIntegerField()),
                ("files_done", models.PositiveBigIntegerField()),
            ],
            options={
                "ordering": ["at"],
            },
        ),
        migrations.CreateModel(
            name="TaskDetails",
            fields=[
                (
                    "transfer",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="details",
                        serialize=False,
                        to="transfers.transfer",
                    ),
                ),
                ("events", models.JSONField(default=list)),
                ("events_count", models.PositiveIntegerField(default=0)),
                ("asked_at", models.DateTimeField(null=True)),
                ("fetched_at", models.DateTimeField(null=True)),
                ("last_error", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "verbose_name_plural": "task details",
            },
        ),
        migrations.RemoveConstraint(
            model_name="transfer",
            name="transfer_id_before_task",
        ),
        migrations.AddField(
            model_name="transfer",
            name="again_of",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="repeats",
                to="transfers.transfer",
            ),
        ),
        migrations.AddField(
            model_name="transfer",
            name="blocked_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="transfer",
            name="blocked_by",
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name="transfer",
            name="cancel_if_stalled",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="transfer",
            name="cancel_wanted_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="transfer",
            name="fault_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="transfer",
            name="is_paused",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="transfer",
            name="origin",
            field=models.CharField(
                choices=[
                    ("portal", "Here"),
                    ("job", "A job"),
                    ("elsewhere", "Elsewhere"),
                ],
                default="portal",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="transfer",
            name="pause_message",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="transfer",
            name="place_asked_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="transfer",
            name="speed_now",
            field=models.PositiveBigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="transfer",
            name="trying_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="watch",
            name="listed_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="watch",
            name="looked_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="transfer",
            name="created_at",
            field=models.DateTimeField(
                default=django.utils.timezone.now, editable=False
            ),
        ),
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(
                condition=models.Q(
                    ("place_asked_at__isnull", False), ("status", "NEW")
                ),
                fields=["user", "service_account"],
                name="transfer_held_back",
            ),
        ),
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(
                condition=models.Q(("cancel_wanted_at__isnull", False)),
                fields=["cancel_wanted_at"],
                name="transfer_to_cancel",
            ),
        ),
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(
                condition=models.Q(("blocked_by__isnull", False)),
                fields=["blocked_by"],
                name="transfer_blocked",
            ),
        ),
        migrations.AddConstraint(
            model_name="transfer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("task_id__isnull", True),
                    ("submission_id__isnull", False),
                    ("origin", "elsewhere"),
                    _connector="OR",
                ),
                name="transfer_id_before_task",
            ),
        ),
        migrations.RunSQL(
            "UPDATE transfers_transfer SET origin = 'job' WHERE id IN "
            "(SELECT transfer_id FROM transfers_run WHERE transfer_id IS NOT NULL)",
            migrations.RunSQL.noop,
        ),
    ]
