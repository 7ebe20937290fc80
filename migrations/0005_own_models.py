from tortoise import migrations
from tortoise.migrations import operations as ops
from domain.accounts.audit import AuditKind
from orjson import loads
from tortoise.fields.data import JSON_DUMPS
from uuid import uuid4
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('framewise', '0004_analysis_options')]

    initial = False

    operations = [
        ops.CreateModel(
            name='OwnModel',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('name', fields.CharField(unique=True, max_length=64)),
                ('sha256', fields.CharField(max_length=64)),
                ('size_bytes', fields.BigIntField()),
                ('storage_key', fields.CharField(db_index=True, max_length=255)),
                ('config', fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ('uploaded_by_id', fields.UUIDField()),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'own_models', 'app': 'framewise', 'pk_attr': 'id', 'table_description': "A detector of this server's own, an ONNX file with its configuration, for everybody to use."},
            bases=['Model'],
        ),
        ops.AlterField(
            model_name='AuditEntry',
            name='kind',
            field=fields.CharEnumField(description='SIGNED_UP: SIGNED_UP\nSIGNED_IN: SIGNED_IN\nSIGN_IN_FAILED: SIGN_IN_FAILED\nLOCKED_OUT: LOCKED_OUT\nSIGNED_OUT: SIGNED_OUT\nREFRESH_TOKEN_REUSED: REFRESH_TOKEN_REUSED\nPASSWORD_CHANGED: PASSWORD_CHANGED\nVIDEO_DELETED: VIDEO_DELETED\nANALYSIS_DELETED: ANALYSIS_DELETED\nACCOUNT_DELETED: ACCOUNT_DELETED\nML_MODEL_UPLOADED: ML_MODEL_UPLOADED\nML_MODEL_DELETED: ML_MODEL_DELETED', enum_type=AuditKind, max_length=32),
        ),
        ops.AddField(
            model_name='User',
            name='is_admin',
            field=fields.BooleanField(default=False),
        ),
    ]
