from tortoise import migrations
from tortoise.migrations import operations as ops
from orjson import loads
from tortoise.fields.data import JSON_DUMPS
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('framewise', '0005_own_models')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Analysis',
            name='counted',
            field=fields.JSONField(null=True, encoder=JSON_DUMPS, decoder=loads),
        ),
        ops.AddField(
            model_name='Analysis',
            name='pictures',
            field=fields.BooleanField(default=False),
        ),
    ]
