"""A film that moves to another case voids referrals and unaided readings of the films as they were."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("analyses", "0026_fill_normal_forms")]

    operations = [
        migrations.AddField("referral", "voided_at", models.DateTimeField(null=True)),
        migrations.AddField("unaidedreading", "voided_at", models.DateTimeField(null=True)),
    ]
