"""New words for choices; no column changes."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('analyses', '0022_saved_filters'),
    ]

    operations = [
        migrations.AlterField(
            model_name='addendum',
            name='reason',
            field=models.CharField(blank=True, choices=[('new_information', 'New clinical information'), ('earlier_films', 'Comparison with other examinations'), ('correction', 'Correction of an error'), ('second_reading', 'Second reading or conference'), ('pathology', 'Pathology or follow-up'), ('other', 'Other (free text)')], max_length=20),
        ),
        migrations.AlterField(
            model_name='notification',
            name='kind',
            field=models.CharField(choices=[('assigned', 'A case is assigned to me'), ('taken_over', 'A colleague takes over my case'), ('second_asked', 'I am asked for a second reading'), ('second_answered', 'A colleague answers my request'), ('amended', 'A case I have read is amended'), ('analysis_failed', 'The analysis of one of my cases fails')], max_length=20),
        ),
        migrations.AlterField(
            model_name='notificationchoice',
            name='kind',
            field=models.CharField(choices=[('assigned', 'A case is assigned to me'), ('taken_over', 'A colleague takes over my case'), ('second_asked', 'I am asked for a second reading'), ('second_answered', 'A colleague answers my request'), ('amended', 'A case I have read is amended'), ('analysis_failed', 'The analysis of one of my cases fails')], max_length=20),
        ),
        migrations.AlterField(
            model_name='readingtemplate',
            name='recommendation',
            field=models.CharField(blank=True, choices=[('refer', 'Refer to a bone tumour centre before biopsy'), ('mr', 'Further imaging: MR'), ('ct', 'Further imaging: CT'), ('follow_up', 'Follow-up films'), ('none', 'No follow-up'), ('other', 'Other (free text)')], max_length=12),
        ),
        migrations.AlterField(
            model_name='review',
            name='disagreement_reason',
            field=models.CharField(blank=True, choices=[('more_seen', 'The film shows more'), ('history', 'Known history or earlier films'), ('artefact', 'Artefact or overlay'), ('wrong_place', 'The model marks the wrong place'), ('out_of_domain', "Outside the model's domain"), ('other', 'Other (free text)')], max_length=20),
        ),
        migrations.AlterField(
            model_name='review',
            name='recommendation',
            field=models.CharField(blank=True, choices=[('refer', 'Refer to a bone tumour centre before biopsy'), ('mr', 'Further imaging: MR'), ('ct', 'Further imaging: CT'), ('follow_up', 'Follow-up films'), ('none', 'No follow-up'), ('other', 'Other (free text)')], max_length=12),
        ),
        migrations.AlterField(
            model_name='unaidedreading',
            name='mode',
            field=models.CharField(choices=[('at_once', 'Answer at once'), ('own_first', 'Answer after my unaided reading'), ('trial', 'Trial: answer shown or hidden at random')], max_length=12),
        ),
    ]
