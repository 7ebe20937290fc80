"""Descriptions of arguments and enum values, which stand beside no field of ours.

An argument of a resolver has a name and a type, and an enum may belong to the domain, which knows no GraphQL:
what they mean is said here, and put into the schema when it is made. A test fails where something is missing.
"""

from collections.abc import Mapping

from graphql import GraphQLSchema, is_enum_type, is_interface_type, is_object_type

_ARGUMENTS: Mapping[str, str] = {
    "after": "Only what follows this cursor of the list.",
    "appearanceId": "The appearance.",
    "appearanceIds": "The appearances, at most 1000.",
    "analyze": "What to start an analysis of each video with; null: none is started.",
    "filter": "Only those that it describes; null: all.",
    "first": "The most objects of the page, at most 100.",
    "changeId": "The id of the change, from `history` or from the payload of the mutation that made it.",
    "id": "The id, as the API gave it.",
    "idempotencyKey": "Any text of yours, up to 255 characters, by which a repeated request is known.",
    "input": "What is asked for.",
    "labels": "Only these labels; null: all.",
    "orderBy": "The order; null: the newest first.",
    "personId": "The person.",
    "refreshToken": "The newest refresh token of the session; null: the one in the cookie.",
}
"""Argument → what it means, wherever it stands."""

_ARGUMENTS_OF_FIELDS: Mapping[str, str] = {
    "Analysis.detections.fromSeconds": "Only those from this time on.",
    "Analysis.detections.toSeconds": "Only those before this time.",
    "Analysis.detections.trackId": "Only those of the track with this number.",
    "Analysis.detections.minConfidence": "Only those that are at least as certain.",
    "Analysis.pictureUrl.kind": "What the picture shows.",
    "Analysis.resultUrl.format": "The form of the file.",
    "Mutation.answerSamePerson.firstId": "One person: who stays if they are the same.",
    "Mutation.answerSamePerson.secondId": "The other.",
    "Mutation.answerSamePerson.isSame": "Whether they are the same person.",
    "Mutation.deleteAccount.password": "The password of the account.",
    "Mutation.deleteMLModel.name": "The name of the model.",
    "Mutation.importVideo.url": "Where the file is: `http://` or `https://`.",
    "Mutation.mergePeople.ids": "The people, with or without the one of `into`.",
    "Mutation.mergePeople.into": "The person who stays.",
    "Mutation.uploadMLModel.config": "The YAML text that says what the model is.",
    "Mutation.uploadMLModel.file": "The ONNX file.",
    "Mutation.uploadVideos.files": "The files, in their order.",
    "Person.presence.videoId": "The video.",
    "Query.compareAnalyses.a": "The run to compare with.",
    "Query.compareAnalyses.b": "The run that is compared.",
    "Query.events.after": "Only events after the one with this number; null: from the oldest that is kept.",
    "Query.mlModels.task": "Only models that do this; null: all.",
    "Query.searchPeople.face": "Which face of the photo, by its number in `faces`; null: the first.",
    "Query.searchPeople.photo": "The photo: JPEG, PNG, WebP, AVIF, GIF, TIFF or BMP.",
    "Subscription.events.after": "Only events after the one with this number; null: from now on.",
}
"""`Type.field.argument` → what it means there."""

_VALUES: Mapping[str, Mapping[str, str]] = {
    "AnalysisStatus": {
        "QUEUED": "It waits for its turn.",
        "RUNNING": "It is being worked on.",
        "PAUSED": "Its owner stopped it, to go on later.",
        "SUCCEEDED": "It is done, and its results are there.",
        "FAILED": "It could not be done: see `errorMessage`.",
        "CANCELLED": "Its owner stopped it for good.",
    },
    "AuditKind": {
        "SIGNED_UP": "The account was made.",
        "SIGNED_IN": "A session began.",
        "SIGN_IN_FAILED": "Somebody gave a wrong password.",
        "LOCKED_OUT": "After too many wrong passwords nobody may sign in for a while.",
        "SIGNED_OUT": "A session was ended.",
        "REFRESH_TOKEN_REUSED": "A refresh token was used a second time, which ended its session.",
        "PASSWORD_CHANGED": "The password was changed.",
        "VIDEO_DELETED": "A video was deleted.",
        "ANALYSIS_DELETED": "An analysis was deleted.",
        "ACCOUNT_DELETED": "The account was deleted.",
        "ML_MODEL_UPLOADED": "A model was uploaded for everybody.",
        "ML_MODEL_DELETED": "An uploaded model was deleted.",
        "PERSON_EXPORTED": "All data about a person was handed out.",
        "PERSON_DELETED": "A person was deleted.",
    },
    "EventKind": {
        "VIDEO_UPLOADED": "A file came in.",
        "VIDEO_READY": "The file was looked at and can be analysed.",
        "VIDEO_REJECTED": "The file was turned away.",
        "VIDEO_DELETED": "The video was deleted.",
        "ANALYSIS_QUEUED": "An analysis was asked for, or goes on.",
        "ANALYSIS_RUNNING": "Work on it began.",
        "ANALYSIS_PAUSED": "It was stopped, to go on later.",
        "ANALYSIS_SUCCEEDED": "It is done.",
        "ANALYSIS_FAILED": "It could not be done.",
        "ANALYSIS_CANCELLED": "It was stopped for good.",
        "ANALYSIS_DELETED": "It was deleted.",
    },
    "MLTask": {
        "FACE_DETECTION": "Finds faces.",
        "OBJECT_DETECTION": "Finds objects of many kinds.",
        "PERSON_DETECTION": "Finds people.",
        "FACE_EMBEDDING": "Tells faces apart.",
        "REIDENTIFICATION": "Knows people again by their looks.",
        "ACTION_RECOGNITION": "Says what people do.",
    },
    "AnalysisMode": {
        "EXACT": "Every frame of the stride, in full precision.",
        "FAST": "Fewer frames, and less precision where the processor is faster so.",
    },
    "Anchor": {
        "BOTTOM_CENTER": "The middle of the lower edge: where things stand.",
        "CENTER": "The middle of the box: for cameras that look straight down, and for faces.",
    },
    "PersonChangeKind": {
        "EDITED": "Name, birth date or sex were changed.",
        "MERGED": "Several people became one.",
        "SPLIT": "Some appearances of a person became a new one.",
        "MOVED": "An appearance was given to another person.",
        "REJECTED": "An appearance was said to be no face.",
        "PROFILE_CHOSEN": "The picture that is shown was chosen.",
        "ANSWERED": "Two people were said not to be the same one.",
        "UNDONE": "An earlier change was undone.",
    },
    "PictureKind": {
        "HEAT_MAP": "How often each place of the frame was inside of a box.",
        "TIMELINE": "When who was seen, and what lines and zones counted.",
        "TRAJECTORIES": "Who went where, with the lines and the zones.",
    },
    "ResultFormat": {
        "JSON": "One JSON document with tracks and detections.",
        "JSONL": "A line of JSON for each detection.",
        "CSV": "A line for each detection, with a header.",
        "PARQUET": "The detections as a Parquet table.",
        "MOT": "The text form of the MOT Challenge.",
        "DETECTIONS_LIST": "A plain JSON array of detections: coordinates, confidence, timestamp, item name.",
        "COCO": "COCO's JSON: an image for each analysed frame, an annotation for each detection.",
        "CVAT": "XML of CVAT for video 1.1: a track for each thing followed.",
    },
    "Sex": {
        "FEMALE": "Female.",
        "MALE": "Male.",
    },
    "Tracker": {
        "NONE": "Detections are not joined.",
        "SORT": "By overlap and motion; the fastest.",
        "BYTE_TRACK": "As SORT, and less certain detections keep a track alive.",
        "OC_SORT": "Corrects the motion after something was hidden.",
        "BOT_SORT": "As BYTE_TRACK, with the motion of the camera taken out.",
    },
    "UserErrorCode": {
        "INVALID": "A value breaks a rule.",
        "NOT_FOUND": "There is no such object, or it is not yours.",
        "CONFLICT": "The present state does not allow it.",
        "LIMIT_EXCEEDED": "A limit of this server is passed; the message names it.",
        "UNSUPPORTED_MEDIA": "The file is no video that can be analysed.",
        "MODEL_UNAVAILABLE": "The model cannot be used: its weights or its package are missing.",
        "WRONG_CREDENTIALS": "A username, password or refresh token is not right.",
        "IDEMPOTENCY_MISMATCH": "The idempotency key was used with another input.",
    },
    "VideoStatus": {
        "PROBING": "It has not been looked at yet.",
        "READY": "It can be analysed.",
        "REJECTED": "It was turned away: see `rejectionReason`.",
    },
}
"""Enum → value → what it means."""


def describe(schema: GraphQLSchema) -> None:
    """Put descriptions where there are none."""
    for kind in schema.type_map.values():
        if kind.name.startswith("__"):
            continue
        if is_enum_type(kind):
            for name, value in kind.values.items():
                value.description = value.description or _VALUES.get(kind.name, {}).get(name)
        elif is_object_type(kind) or is_interface_type(kind):
            for field_name, field in kind.fields.items():
                for name, argument in field.args.items():
                    special = _ARGUMENTS_OF_FIELDS.get(f"{kind.name}.{field_name}.{name}")
                    argument.description = argument.description or special or _ARGUMENTS.get(name)


def unused_descriptions(schema: GraphQLSchema) -> list[str]:
    """What is described here and not in the schema."""
    arguments = {
        f"{kind.name}.{field_name}.{name}"
        for kind in schema.type_map.values()
        if is_object_type(kind) or is_interface_type(kind)
        for field_name, field in kind.fields.items()
        for name in field.args
    }
    names = {place.rpartition(".")[2] for place in arguments}
    values = {
        f"{kind.name}.{name}"
        for kind in schema.type_map.values()
        if is_enum_type(kind)
        for name in kind.values
    }
    described = {f"{enum}.{name}" for enum, all_values in _VALUES.items() for name in all_values}
    return sorted(
        {*(_ARGUMENTS.keys() - names), *(_ARGUMENTS_OF_FIELDS.keys() - arguments), *(described - values)}
    )
