"""New words for choices; no column changes."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_language'),
    ]

    operations = [
        migrations.AlterField(
            model_name='department',
            name='reading_mode',
            field=models.CharField(choices=[('at_once', 'Answer at once'), ('own_first', 'Answer after my unaided reading'), ('trial', 'Trial: answer shown or hidden at random')], default='at_once', max_length=12),
        ),
    ]
