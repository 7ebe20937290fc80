from tortoise import migrations
from tortoise.migrations import operations as ops
from domain.accounts.audit import AuditKind
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('framewise', '0002_keep_going')]

    initial = False

    operations = [
        ops.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('kind', fields.CharEnumField(description='SIGNED_UP: SIGNED_UP\nSIGNED_IN: SIGNED_IN\nSIGN_IN_FAILED: SIGN_IN_FAILED\nLOCKED_OUT: LOCKED_OUT\nSIGNED_OUT: SIGNED_OUT\nREFRESH_TOKEN_REUSED: REFRESH_TOKEN_REUSED\nPASSWORD_CHANGED: PASSWORD_CHANGED\nVIDEO_DELETED: VIDEO_DELETED\nANALYSIS_DELETED: ANALYSIS_DELETED\nACCOUNT_DELETED: ACCOUNT_DELETED', enum_type=AuditKind, max_length=32)),
                ('user_id', fields.UUIDField(null=True)),
                ('username', fields.CharField(max_length=64)),
                ('address', fields.CharField(null=True, max_length=64)),
                ('user_agent', fields.CharField(null=True, max_length=255)),
                ('subject_id', fields.UUIDField(null=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'audit_entries', 'app': 'framewise', 'indexes': [Index(fields=['user_id', 'created_at']), Index(fields=['created_at'])], 'pk_attr': 'id', 'table_description': 'One step that matters for security. It outlives the account it tells of.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Upload',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('owner', fields.ForeignKeyField('framewise.User', source_field='owner_id', db_constraint=True, to_field='id', related_name='uploads', on_delete=OnDelete.CASCADE)),
                ('filename', fields.CharField(max_length=255)),
                ('size_bytes', fields.BigIntField()),
                ('offset_bytes', fields.BigIntField(default=0)),
                ('fence', fields.BigIntField(default=0)),
                ('storage_key', fields.CharField(max_length=255)),
                ('storage_state', fields.TextField(default='', unique=False)),
                ('settings', fields.TextField(null=True, unique=False)),
                ('idempotency_key', fields.CharField(null=True, max_length=255)),
                ('idempotency_hash', fields.CharField(null=True, max_length=64)),
                ('video_id', fields.UUIDField(null=True)),
                ('expires_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'uploads', 'app': 'framewise', 'unique_together': (('owner_id', 'idempotency_key'),), 'indexes': [Index(fields=['expires_at']), Index(fields=['owner_id', 'created_at'])], 'pk_attr': 'id', 'table_description': 'A file on its way in, in as many requests as it takes.'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='Video',
            name='source_url',
            field=fields.TextField(null=True, unique=False),
        ),
    ]
