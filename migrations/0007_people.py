from tortoise import migrations
from tortoise.migrations import operations as ops
from domain.accounts.audit import AuditKind
from domain.people.models import ChangeKind, Sex
from domain.people.name_order import NameIndex, NameKeyField
from orjson import loads
from tortoise.fields.base import OnDelete
from tortoise.fields.data import JSON_DUMPS
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('framewise', '0006_counting')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Appearance',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('owner', fields.ForeignKeyField('framewise.User', source_field='owner_id', db_constraint=True, to_field='id', related_name='appearances', on_delete=OnDelete.CASCADE)),
                ('video', fields.ForeignKeyField('framewise.Video', source_field='video_id', db_constraint=True, to_field='id', related_name='appearances', on_delete=OnDelete.CASCADE)),
                ('analysis', fields.ForeignKeyField('framewise.Analysis', source_field='analysis_id', db_constraint=True, to_field='id', related_name='appearances', on_delete=OnDelete.CASCADE)),
                ('track_id', fields.IntField()),
                ('person_id', fields.UUIDField(null=True)),
                ('is_pinned', fields.BooleanField(default=False)),
                ('is_final', fields.BooleanField(default=False)),
                ('first_seconds', fields.FloatField()),
                ('last_seconds', fields.FloatField()),
                ('similarity', fields.FloatField()),
                ('quality', fields.FloatField()),
                ('embedding', fields.BinaryField()),
                ('embedding_model', fields.CharField(max_length=64)),
                ('places', fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ('beside', fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ('version', fields.BigIntField(default=0)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'appearances', 'app': 'framewise', 'unique_together': (('analysis_id', 'track_id'),), 'indexes': [Index(fields=['owner_id', 'version']), Index(fields=['person_id', 'created_at', 'id']), Index(fields=['video_id', 'person_id'])], 'pk_attr': 'id', 'table_description': 'A face followed through a part of a video: of one person, or rejected as no face.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Erasure',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('noted_at', fields.FloatField()),
            ],
            options={'table': 'erasures', 'app': 'framewise', 'pk_attr': 'id', 'table_description': 'That files of the database may still hold what was deleted.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='FaceRegister',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('owner', fields.ForeignKeyField('framewise.User', source_field='owner_id', unique=True, db_constraint=True, to_field='id', related_name='face_registers', on_delete=OnDelete.CASCADE)),
                ('version', fields.BigIntField(default=0)),
                ('epoch', fields.BigIntField(default=0)),
            ],
            options={'table': 'face_registers', 'app': 'framewise', 'pk_attr': 'id', 'table_description': 'The register of one account: counting its version up makes those who change it wait for each other.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='ForgottenFace',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('owner', fields.ForeignKeyField('framewise.User', source_field='owner_id', db_constraint=True, to_field='id', related_name='forgotten_faces', on_delete=OnDelete.CASCADE)),
                ('video_sha256', fields.CharField(max_length=64)),
                ('places', fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ('analysis_id', fields.UUIDField(null=True)),
                ('track_id', fields.IntField(null=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'forgotten_faces', 'app': 'framewise', 'indexes': [Index(fields=['owner_id', 'video_sha256'])], 'pk_attr': 'id', 'table_description': 'Where a deleted person was seen, and nothing else of them: not to be taken up again unless asked.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Person',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('owner', fields.ForeignKeyField('framewise.User', source_field='owner_id', db_constraint=True, to_field='id', related_name='people', on_delete=OnDelete.CASCADE)),
                ('full_name', fields.CharField(null=True, max_length=200)),
                ('name_key', NameKeyField(null=True, max_length=600)),
                ('birth_date', fields.DateField(null=True)),
                ('sex', fields.CharEnumField(null=True, description='FEMALE: FEMALE\nMALE: MALE', enum_type=Sex, max_length=8)),
                ('profile_appearance_id', fields.UUIDField(null=True)),
                ('cover_appearance_id', fields.UUIDField(null=True)),
                ('is_held', fields.BooleanField(default=False)),
                ('appearance_count', fields.IntField(default=0)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('updated_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'people', 'app': 'framewise', 'indexes': [Index(fields=['owner_id', 'created_at', 'id']), NameIndex()], 'pk_attr': 'id', 'table_description': 'A human across videos.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='PersonAnswer',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('owner', fields.ForeignKeyField('framewise.User', source_field='owner_id', db_constraint=True, to_field='id', related_name='person_answers', on_delete=OnDelete.CASCADE)),
                ('first_person_id', fields.UUIDField()),
                ('second_person_id', fields.UUIDField()),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'person_answers', 'app': 'framewise', 'unique_together': (('owner_id', 'first_person_id', 'second_person_id'),), 'pk_attr': 'id', 'table_description': 'That somebody said of two persons that they are not the same one: the first id is the smaller.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='PersonChange',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('owner', fields.ForeignKeyField('framewise.User', source_field='owner_id', db_constraint=True, to_field='id', related_name='person_changes', on_delete=OnDelete.CASCADE)),
                ('number', fields.BigIntField()),
                ('kind', fields.CharEnumField(description='EDITED: EDITED\nMERGED: MERGED\nSPLIT: SPLIT\nMOVED: MOVED\nREJECTED: REJECTED\nPROFILE_CHOSEN: PROFILE_CHOSEN\nANSWERED: ANSWERED\nUNDONE: UNDONE', enum_type=ChangeKind, max_length=16)),
                ('changed_by_id', fields.UUIDField()),
                ('cells', fields.JSONField(encoder=JSON_DUMPS, decoder=loads)),
                ('undone_by_id', fields.UUIDField(null=True)),
                ('undoes_id', fields.UUIDField(null=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
            ],
            options={'table': 'person_changes', 'app': 'framewise', 'unique_together': (('owner_id', 'number'),), 'pk_attr': 'id', 'table_description': 'What somebody did, with all that is needed to undo it.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='ChangedPerson',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('change', fields.ForeignKeyField('framewise.PersonChange', source_field='change_id', db_constraint=True, to_field='id', related_name='changed_people', on_delete=OnDelete.CASCADE)),
                ('person_id', fields.UUIDField(db_index=True)),
            ],
            options={'table': 'changed_people', 'app': 'framewise', 'unique_together': (('change_id', 'person_id'),), 'pk_attr': 'id', 'table_description': 'That a change is about a person.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Hold',
            fields=[
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('change', fields.ForeignKeyField('framewise.PersonChange', source_field='change_id', db_constraint=True, to_field='id', related_name='holds', on_delete=OnDelete.CASCADE)),
                ('subject_id', fields.UUIDField(db_index=True)),
                ('was_held', fields.BooleanField()),
            ],
            options={'table': 'holds', 'app': 'framewise', 'unique_together': (('change_id', 'subject_id'),), 'pk_attr': 'id', 'table_description': 'That a change decided about a person or an appearance: until it is undone they stay as they are.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='PersonExport',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('person', fields.ForeignKeyField('framewise.Person', source_field='person_id', db_constraint=True, to_field='id', related_name='exports', on_delete=OnDelete.CASCADE)),
                ('expires_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'person_exports', 'app': 'framewise', 'pk_attr': 'id', 'table_description': 'That somebody may fetch all data about a person for a while, by a link that says nothing about them.'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='Analysis',
            name='identified_segments',
            field=fields.IntField(default=0),
        ),
        ops.AddField(
            model_name='Analysis',
            name='recreates_people',
            field=fields.BooleanField(default=False),
        ),
        ops.AlterField(
            model_name='AuditEntry',
            name='kind',
            field=fields.CharEnumField(description='SIGNED_UP: SIGNED_UP\nSIGNED_IN: SIGNED_IN\nSIGN_IN_FAILED: SIGN_IN_FAILED\nLOCKED_OUT: LOCKED_OUT\nSIGNED_OUT: SIGNED_OUT\nREFRESH_TOKEN_REUSED: REFRESH_TOKEN_REUSED\nPASSWORD_CHANGED: PASSWORD_CHANGED\nVIDEO_DELETED: VIDEO_DELETED\nANALYSIS_DELETED: ANALYSIS_DELETED\nACCOUNT_DELETED: ACCOUNT_DELETED\nML_MODEL_UPLOADED: ML_MODEL_UPLOADED\nML_MODEL_DELETED: ML_MODEL_DELETED\nPERSON_EXPORTED: PERSON_EXPORTED\nPERSON_DELETED: PERSON_DELETED', enum_type=AuditKind, max_length=32),
        ),
        ops.AddField(
            model_name='Video',
            name='recorded_at',
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
    ]
