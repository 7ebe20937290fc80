"""The tables of the register of people."""

from datetime import date
from enum import StrEnum
from typing import Any

from tortoise import fields
from tortoise.models import Model

from domain.people.name_order import NameIndex, NameKeyField


class Sex(StrEnum):
    """The sex of a person, where it is known."""

    FEMALE = "FEMALE"
    MALE = "MALE"


class ChangeKind(StrEnum):
    """What somebody did to the register."""

    EDITED = "EDITED"
    MERGED = "MERGED"
    SPLIT = "SPLIT"
    MOVED = "MOVED"
    REJECTED = "REJECTED"
    PROFILE_CHOSEN = "PROFILE_CHOSEN"
    ANSWERED = "ANSWERED"
    UNDONE = "UNDONE"


class FaceRegister(Model):
    """The register of one account: counting its version up makes those who change it wait for each other."""

    id = fields.UUIDField(primary_key=True)
    """The account's own id."""
    owner: fields.ForeignKeyRelation = fields.ForeignKeyField(  # type: ignore[type-arg]
        "framewise.User", related_name="face_registers", on_delete=fields.CASCADE, unique=True
    )
    owner_id: fields.UUIDField  # type: ignore[type-arg]
    version = fields.BigIntField(default=0)
    """Of the newest change; rows that it wrote carry it."""
    epoch = fields.BigIntField(default=0)
    """Counts the changes that removed rows: whoever keeps copies of embeddings reads them anew."""

    class Meta:
        table = "face_registers"


class Person(Model):
    """A human across videos."""

    id = fields.UUIDField(primary_key=True)
    owner: fields.ForeignKeyRelation = fields.ForeignKeyField(  # type: ignore[type-arg]
        "framewise.User", related_name="people", on_delete=fields.CASCADE
    )
    owner_id: fields.UUIDField  # type: ignore[type-arg]
    full_name = fields.CharField(max_length=200, null=True)
    name_key = NameKeyField(max_length=600, null=True)
    """The name case-folded: what is searched and sorted by."""
    birth_date = fields.DateField[date | None](null=True)
    sex = fields.CharEnumField(Sex, max_length=8, null=True)
    profile_appearance_id = fields.UUIDField(null=True)
    """The appearance whose crop somebody chose to show."""
    cover_appearance_id = fields.UUIDField(null=True)
    """The appearance whose crop is shown: the chosen one, else the one of the best quality."""
    is_held = fields.BooleanField(default=False)
    """Whether somebody has touched it: it stays without appearances, and is never merged by itself."""
    appearance_count = fields.IntField(default=0)
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "people"
        indexes = (("owner_id", "created_at", "id"), NameIndex())


class Appearance(Model):
    """A face followed through a part of a video: of one person, or rejected as no face."""

    id = fields.UUIDField(primary_key=True)
    owner: fields.ForeignKeyRelation = fields.ForeignKeyField(  # type: ignore[type-arg]
        "framewise.User", related_name="appearances", on_delete=fields.CASCADE
    )
    owner_id: fields.UUIDField  # type: ignore[type-arg]
    video: fields.ForeignKeyRelation = fields.ForeignKeyField(  # type: ignore[type-arg]
        "framewise.Video", related_name="appearances", on_delete=fields.CASCADE
    )
    video_id: fields.UUIDField  # type: ignore[type-arg]
    analysis: fields.ForeignKeyRelation = fields.ForeignKeyField(  # type: ignore[type-arg]
        "framewise.Analysis", related_name="appearances", on_delete=fields.CASCADE
    )
    analysis_id: fields.UUIDField  # type: ignore[type-arg]
    track_id = fields.IntField()
    person_id = fields.UUIDField(null=True)
    """Null while it is rejected. No foreign key: the register's own transactions keep it right."""
    is_pinned = fields.BooleanField(default=False)
    """Whether somebody decided whose it is, or that it is no face: it is never moved by itself."""
    is_final = fields.BooleanField(default=False)
    """Whether its track has ended: nothing better is to come."""
    first_seconds = fields.FloatField()
    last_seconds = fields.FloatField()
    similarity = fields.FloatField()
    """Cosine to the mean of the person's other appearances; 1 for the only one."""
    quality = fields.FloatField()
    """Of its best crop; see ml_models.face_quality."""
    embedding = fields.BinaryField()
    """float32, little-endian, of length 1."""
    embedding_model = fields.CharField(max_length=64)
    """Only those of the same model are compared."""
    places = fields.JSONField[list[list[float]]]()
    """Where it is seen now and then: [timestamp_seconds, x1, y1, x2, y2]."""
    beside = fields.JSONField[list[int]]()
    """Tracks of the same analysis that are seen in the same frames in other places: other people."""
    version = fields.BigIntField(default=0)
    """Of the register when it was last written."""
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "appearances"
        unique_together = (("analysis_id", "track_id"),)
        indexes = (
            ("owner_id", "version"),
            ("person_id", "created_at", "id"),
            ("video_id", "person_id"),
        )


class PersonChange(Model):
    """What somebody did, with all that is needed to undo it."""

    id = fields.UUIDField(primary_key=True)
    owner: fields.ForeignKeyRelation = fields.ForeignKeyField(  # type: ignore[type-arg]
        "framewise.User", related_name="person_changes", on_delete=fields.CASCADE
    )
    owner_id: fields.UUIDField  # type: ignore[type-arg]
    number = fields.BigIntField()
    """The register's version it made."""
    kind = fields.CharEnumField(ChangeKind, max_length=16)
    changed_by_id = fields.UUIDField()
    cells = fields.JSONField[list[dict[str, Any]]]()
    """What it wrote, each value before and after; see domain.people.journal."""
    undone_by_id = fields.UUIDField(null=True)
    undoes_id = fields.UUIDField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "person_changes"
        unique_together = (("owner_id", "number"),)


class ChangedPerson(Model):
    """That a change is about a person."""

    id = fields.IntField(primary_key=True)
    change: fields.ForeignKeyRelation[PersonChange] = fields.ForeignKeyField(
        "framewise.PersonChange", related_name="changed_people", on_delete=fields.CASCADE
    )
    change_id: fields.UUIDField  # type: ignore[type-arg]
    person_id = fields.UUIDField(db_index=True)

    class Meta:
        table = "changed_people"
        unique_together = (("change_id", "person_id"),)


class Hold(Model):
    """That a change decided about a person or an appearance: until it is undone they stay as they are."""

    id = fields.IntField(primary_key=True)
    change: fields.ForeignKeyRelation[PersonChange] = fields.ForeignKeyField(
        "framewise.PersonChange", related_name="holds", on_delete=fields.CASCADE
    )
    change_id: fields.UUIDField  # type: ignore[type-arg]
    subject_id = fields.UUIDField(db_index=True)
    """The person who is held, or the appearance that is pinned."""
    was_held = fields.BooleanField()
    """Whether it was held or pinned before."""

    class Meta:
        table = "holds"
        unique_together = (("change_id", "subject_id"),)


class PersonAnswer(Model):
    """That somebody said of two persons that they are not the same one: the first id is the smaller."""

    id = fields.UUIDField(primary_key=True)
    owner: fields.ForeignKeyRelation = fields.ForeignKeyField(  # type: ignore[type-arg]
        "framewise.User", related_name="person_answers", on_delete=fields.CASCADE
    )
    owner_id: fields.UUIDField  # type: ignore[type-arg]
    first_person_id = fields.UUIDField()
    second_person_id = fields.UUIDField()
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "person_answers"
        unique_together = (("owner_id", "first_person_id", "second_person_id"),)


class ForgottenFace(Model):
    """Where a deleted person was seen, and nothing else of them: not to be taken up again unless asked."""

    id = fields.UUIDField(primary_key=True)
    owner: fields.ForeignKeyRelation = fields.ForeignKeyField(  # type: ignore[type-arg]
        "framewise.User", related_name="forgotten_faces", on_delete=fields.CASCADE
    )
    owner_id: fields.UUIDField  # type: ignore[type-arg]
    video_sha256 = fields.CharField(max_length=64)
    places = fields.JSONField[list[list[float]]]()
    analysis_id = fields.UUIDField(null=True)
    """The analysis that had found it, which may go on. No foreign key: this outlives it."""
    track_id = fields.IntField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "forgotten_faces"
        indexes = (("owner_id", "video_sha256"),)


class PersonExport(Model):
    """That somebody may fetch all data about a person for a while, by a link that says nothing about them."""

    id = fields.UUIDField(primary_key=True)
    person: fields.ForeignKeyRelation[Person] = fields.ForeignKeyField(
        "framewise.Person", related_name="exports", on_delete=fields.CASCADE
    )
    person_id: fields.UUIDField  # type: ignore[type-arg]
    expires_at = fields.DatetimeField()

    class Meta:
        table = "person_exports"
