from tortoise import migrations
from tortoise.migrations import operations as ops
from orjson import loads
from tortoise.fields.data import JSON_DUMPS
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('framewise', '0003_edge')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Analysis',
            name='counting',
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.AddField(
            model_name='Analysis',
            name='crops',
            field=fields.BooleanField(default=False),
        ),
        ops.AddField(
            model_name='Analysis',
            name='detection_options',
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.AddField(
            model_name='Analysis',
            name='frames_skipped',
            field=fields.IntField(default=0),
        ),
        ops.AddField(
            model_name='Analysis',
            name='tracking_options',
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
    ]
