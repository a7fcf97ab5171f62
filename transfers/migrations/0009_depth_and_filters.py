import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('transfers', '0008_sending'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='depth',
            field=models.PositiveSmallIntegerField(blank=True, help_text='List: levels of folders; 1 is the folder alone. Empty: all.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(2048)]),
        ),
        migrations.AddField(
            model_name='job',
            name='filters',
            field=models.JSONField(blank=True, default=dict),
        ),
    ]
