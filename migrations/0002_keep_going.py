from tortoise import migrations
from tortoise.migrations import operations as ops
from domain.events import EventKind
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations.constraints import UniqueConstraint

class Migration(migrations.Migration):
    dependencies = [('framewise', '0001_initial')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Duty',
            fields=[
                ('name', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ('holder', fields.CharField(max_length=128)),
                ('expires_at', fields.FloatField()),
            ],
            options={'table': 'duties', 'app': 'framewise', 'pk_attr': 'name', 'table_description': 'Who has a duty, and until when.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Event',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('owner', fields.ForeignKeyField('framewise.User', source_field='owner_id', db_constraint=True, to_field='id', related_name='events', on_delete=OnDelete.CASCADE)),
                ('number', fields.BigIntField()),
                ('kind', fields.CharEnumField(description='VIDEO_UPLOADED: VIDEO_UPLOADED\nVIDEO_READY: VIDEO_READY\nVIDEO_REJECTED: VIDEO_REJECTED\nVIDEO_DELETED: VIDEO_DELETED\nANALYSIS_QUEUED: ANALYSIS_QUEUED\nANALYSIS_RUNNING: ANALYSIS_RUNNING\nANALYSIS_PAUSED: ANALYSIS_PAUSED\nANALYSIS_SUCCEEDED: ANALYSIS_SUCCEEDED\nANALYSIS_FAILED: ANALYSIS_FAILED\nANALYSIS_CANCELLED: ANALYSIS_CANCELLED\nANALYSIS_DELETED: ANALYSIS_DELETED', enum_type=EventKind, max_length=32)),
                ('video_id', fields.UUIDField(null=True)),
                ('analysis_id', fields.UUIDField(null=True)),
                ('message', fields.TextField(null=True, unique=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'events', 'app': 'framewise', 'unique_together': (('owner_id', 'number'),), 'indexes': [Index(fields=['created_at'])], 'pk_attr': 'id', 'table_description': "One change of state. An account's events are numbered from 1 without gaps, in the order of commits."},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Removal',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('prefix', fields.CharField(max_length=512)),
                ('due_at', fields.FloatField(db_index=True)),
                ('final_at', fields.FloatField()),
            ],
            options={'table': 'removals', 'app': 'framewise', 'pk_attr': 'id', 'table_description': 'A prefix of storage keys that nothing refers to any more.'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='Analysis',
            name='holder',
            field=fields.CharField(null=True, max_length=128),
        ),
        ops.AddField(
            model_name='Analysis',
            name='interruptions',
            field=fields.IntField(default=0),
        ),
        ops.AddField(
            model_name='Analysis',
            name='last_failure',
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddField(
            model_name='Segment',
            name='holder',
            field=fields.CharField(null=True, max_length=128),
        ),
        ops.AddField(
            model_name='Segment',
            name='interruptions',
            field=fields.IntField(default=0),
        ),
        ops.AddField(
            model_name='User',
            name='event_count',
            field=fields.BigIntField(default=0),
        ),
        ops.AddField(
            model_name='User',
            name='last_served_at',
            field=fields.FloatField(default=0.0),
        ),
        ops.AddField(
            model_name='Video',
            name='holder',
            field=fields.CharField(null=True, max_length=128),
        ),
        ops.AddField(
            model_name='Video',
            name='idempotency_hash',
            field=fields.CharField(null=True, max_length=64),
        ),
        ops.AddField(
            model_name='Video',
            name='idempotency_index',
            field=fields.IntField(null=True),
        ),
        ops.AddField(
            model_name='Video',
            name='idempotency_key',
            field=fields.CharField(null=True, max_length=255),
        ),
        ops.AddField(
            model_name='Video',
            name='interruptions',
            field=fields.IntField(default=0),
        ),
        ops.AddField(
            model_name='Video',
            name='last_failure',
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddIndex(
            model_name='Video',
            index=Index(fields=['status', 'lease_expires_at']),
        ),
        ops.AddIndex(
            model_name='Video',
            index=Index(fields=['storage_key']),
        ),
        ops.AddConstraint(
            model_name='Video',
            constraint=UniqueConstraint(fields=('owner_id', 'idempotency_key', 'idempotency_index'), name=None),
        ),
    ]
