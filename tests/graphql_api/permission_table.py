"""Who may see what: an entry for every field of the schema. A field without one fails `test_permissions.py`.

To add a field to a type: put its name here, and make `tests/graphql_api/possessions.py` give the owner a value of
it. To add a root field: an entry in `ROOTS`, with arguments that name what belongs to the owner.
"""

from dataclasses import dataclass
from enum import Enum, auto


class Seen(Enum):
    """By whom an object of a type may be seen."""

    OWNER = auto()
    """Only by whom it belongs to; the test shows that they do see each of its fields."""
    PAYLOAD = auto()
    """By whoever ran the mutation."""
    SIGNED_IN = auto()
    """By everybody who is signed in: it is about the server."""


FIELDS: dict[str, tuple[Seen, str]] = {
    "User": (Seen.OWNER, "id username email fullName isAdmin createdAt"),
    "AuditEntry": (Seen.OWNER, "kind createdAt address userAgent subjectId"),
    "Video": (
        Seen.OWNER,
        "id title filename externalId status rejectionReason sizeBytes sha256 codec width height durationSeconds "
        "frameCount averageFps isVariableFrameRate createdAt url thumbnailUrl analyses sourceUrl",
    ),
    "ResumableUpload": (Seen.OWNER, "id filename sizeBytes offsetBytes expiresAt createdAt url video"),
    "Analysis": (
        Seen.OWNER,
        "id status errorMessage priority createdAt startedAt finishedAt video settings progress framesDone "
        "framesTotal framesSkipped counts etaSeconds framesPerSecond detections tracks resultUrl overlayUrl "
        "cropsUrl pictureUrl lineCounts zoneCounts peopleCount",
    ),
    "AnalysisSettings": (
        Seen.OWNER,
        "tracker frameStride minConfidence labels startSeconds endSeconds createPeople recreatePeople overlay crops "
        "pictures "
        "mlModel "
        "mode region tiling motionGating trackerParameters lines zones",
    ),
    "Point": (Seen.OWNER, "x y"),
    "Tiling": (Seen.OWNER, "tilePixels overlap"),
    "TrackerParameters": (
        Seen.OWNER,
        "lostTrackSeconds minIou minConsecutiveFrames activationConfidence highConfidence weakMinIou "
        "directionWeight directionFrames",
    ),
    "CountingLine": (Seen.OWNER, "name start end labels anchor"),
    "Zone": (Seen.OWNER, "name points labels anchor"),
    "LineCount": (Seen.OWNER, "name in out byLabel"),
    "LineLabelCount": (Seen.OWNER, "label in out"),
    "ZoneCount": (Seen.OWNER, "name occupancy entries exits meanDwellSeconds byLabel"),
    "ZoneLabelCount": (Seen.OWNER, "label occupancy entries exits"),
    "AnalysisProgress": (
        Seen.OWNER,
        "analysisId status progress framesDone framesTotal counts etaSeconds framesPerSecond errorMessage analysis "
        "lineCounts zoneCounts peopleCount",
    ),
    "LabelCount": (Seen.OWNER, "label detections tracks"),
    "Detection": (Seen.OWNER, "frameIndex timestampSeconds label confidence box trackId landmarks mask"),
    "Landmark": (Seen.OWNER, "x y score"),
    "Mask": (Seen.OWNER, "size counts"),
    "AnalysisComparison": (
        Seen.OWNER,
        "frames detectionsA detectionsB matched agreement meanIou iouHistogram labels matchedTrackCount "
        "lostTrackCount newTrackCount matchedTracks lostTrackIds newTrackIds",
    ),
    "LabelComparison": (Seen.OWNER, "label detectionsA detectionsB matched tracksA tracksB"),
    "TrackPair": (Seen.OWNER, "trackIdA trackIdB detections"),
    "BoundingBox": (Seen.OWNER, "x y width height"),
    "Track": (Seen.OWNER, "trackId label firstSeconds lastSeconds detectionCount meanConfidence person"),
    "Person": (
        Seen.OWNER,
        "id fullName birthDate sex cropUrl appearanceCount createdAt updatedAt appearances videos presence history",
    ),
    "Appearance": (
        Seen.OWNER,
        "id trackId firstSeconds lastSeconds similarity isConfirmed createdAt cropUrl video videoUrl analysis "
        "person",
    ),
    "Presence": (Seen.OWNER, "seconds share spans"),
    "TimeSpan": (Seen.OWNER, "firstSeconds lastSeconds"),
    "PersonChange": (Seen.OWNER, "id kind createdAt isUndone undoesId changedBy edits"),
    "PersonEdit": (Seen.OWNER, "personId field before after"),
    "SamePersonSuggestion": (Seen.OWNER, "first second similarity"),
    "Event": (Seen.OWNER, "number cursor kind createdAt message videoId analysisId video analysis"),
    "EventConnection": (Seen.OWNER, "edges pageInfo newestCursor"),
    **{
        f"{name}{part}": (Seen.OWNER, fields)
        for name in (
            *("Video", "Analysis", "Detection", "Track", "AuditEntry", "ResumableUpload"),
            *("Person", "Appearance", "PersonChange"),
        )
        for part, fields in (("Connection", "edges pageInfo"), ("Edge", "node cursor"))
    },
    "EventEdge": (Seen.OWNER, "node cursor"),
    "PageInfo": (Seen.OWNER, "hasNextPage hasPreviousPage startCursor endCursor"),
    "MLModel": (
        Seen.SIGNED_IN,
        "id name task labels description license trainingData knownLimits weightsBytes weightsSha256 inputWidth "
        "inputHeight embeddingSize sameSimilarity devices millisecondsPerFrame measuredOn quality "
        "defaultConfidence floorConfidence requiresExtra isInstalled howToInstall canAnalyze isReady isDefault",
    ),
    "MLModelQuality": (Seen.SIGNED_IN, "metric value data command"),
    "Session": (Seen.PAYLOAD, "accessToken accessTokenExpiresAt refreshToken user"),
    "SessionPayload": (Seen.PAYLOAD, "userErrors session"),
    "SignOutPayload": (Seen.PAYLOAD, "userErrors"),
    "UserPayload": (Seen.PAYLOAD, "userErrors user"),
    "UploadVideosPayload": (Seen.PAYLOAD, "userErrors videos analyses"),
    "CreateUploadPayload": (Seen.PAYLOAD, "userErrors upload"),
    "ImportVideoPayload": (Seen.PAYLOAD, "userErrors video analysis"),
    "AnalysisPayload": (Seen.PAYLOAD, "userErrors analysis"),
    "PersonPayload": (Seen.PAYLOAD, "userErrors person change"),
    "MLModelPayload": (Seen.PAYLOAD, "userErrors mlModel"),
    "DeletePayload": (Seen.PAYLOAD, "userErrors deletedId"),
    "ExportPersonPayload": (Seen.PAYLOAD, "userErrors url expiresAt"),
    "PeopleSearch": (Seen.PAYLOAD, "userErrors faces chosenFace width height matches"),
    "PhotoFace": (Seen.PAYLOAD, "box confidence"),
    "PersonMatch": (Seen.PAYLOAD, "person appearance similarity isSame"),
    "UserError": (Seen.PAYLOAD, "code message path"),
}

ARGUMENTS: dict[str, str] = {
    "Analysis.pictureUrl": "(kind: HEAT_MAP)",
    "Person.presence": "(videoId: <video>)",
}
"""`Type.field` → its arguments, of fields below the roots that cannot go without, as `Root.arguments` are."""


class Open(Enum):
    """What a root field is for whoever is not signed in."""

    NO = auto()
    """UNAUTHENTICATED, and no data."""
    NULL = auto()
    """Null; a token that does not work is UNAUTHENTICATED."""
    YES = auto()
    """Runs for everybody: it is how one signs in."""


class Other(Enum):
    """What a root field is for another user, when its arguments name what belongs to the owner."""

    NULL = auto()
    NOT_FOUND = auto()
    """A user error, or an error, with this code; nothing else is in the answer."""
    WRONG_CREDENTIALS = auto()
    """The same with this code."""
    FORBIDDEN = auto()
    """The same with this code: neither is an administrator."""
    OWN = auto()
    """Something of their own: nothing of the owner's is in it, and nothing of theirs changes."""


@dataclass(frozen=True)
class Root:
    """How a root field is tried.

    Args:
        other: What another user gets.
        arguments: One or more texts to try. `<video>` stands for what `possessions.Possessions` has of this name,
            `<videos_cursor>` for a cursor in that list of the owner.
        open: What somebody gets who is not signed in.
    """

    other: Other
    arguments: tuple[str, ...] = ("",)
    open: Open = Open.NO


_SETTINGS = '{mlModel: "opencv-haar-face"}'

ROOTS: dict[str, Root] = {
    "Query.me": Root(Other.OWN, open=Open.NULL),
    "Query.video": Root(Other.NULL, ("(id: <video>)", "(id: <rejected>)")),
    "Query.videos": Root(
        Other.OWN,
        (
            "",
            "(first: 100)",
            "(after: <videos_cursor>)",
            '(filter: {search: "canary"})',
            '(filter: {externalId: "canary-external"})',
            "(filter: {status: READY}, orderBy: TITLE)",
        ),
    ),
    "Query.upload": Root(Other.NULL, ("(id: <upload>)",)),
    "Query.uploads": Root(Other.OWN, ("", "(first: 100)", "(after: <uploads_cursor>)")),
    "Query.mlModels": Root(Other.OWN),
    "Query.analysis": Root(Other.NULL, ("(id: <analysis>)", "(id: <failed>)")),
    "Query.analyses": Root(
        Other.OWN,
        (
            "",
            "(filter: {videoId: <video>})",
            "(after: <analyses_cursor>)",
            '(filter: {mlModel: "opencv-haar-face"})',
        ),
    ),
    "Query.compareAnalyses": Root(Other.NOT_FOUND, ("(a: <analysis>, b: <analysis>)",)),
    "Query.events": Root(Other.OWN, ("", '(after: "0")', '(after: "4")', "(after: <events_cursor>)")),
    "Query.auditLog": Root(Other.OWN, ("", "(first: 100)", "(after: <audit_cursor>)")),
    "Query.person": Root(Other.NULL, ("(id: <person>)", "(id: <second_person>)")),
    "Query.people": Root(
        Other.OWN,
        (
            "",
            "(first: 100)",
            "(after: <people_cursor>)",
            '(filter: {name: "CANARY"})',
            "(filter: {videoId: <video>})",
            '(filter: {unnamed: false, seenFrom: "2026-01-01T00:00:00Z"}, orderBy: NAME)',
        ),
    ),
    "Query.samePersonSuggestions": Root(Other.OWN),
    "Query.searchPeople": Root(Other.OWN, ('(photo: "none")',)),
    "Query.node": Root(
        Other.NULL,
        (
            *("(id: <user>)", "(id: <video>)", "(id: <analysis>)"),
            *("(id: <person>)", "(id: <appearance>)", "(id: <change>)"),
        ),
    ),
    "Mutation.signUp": Root(
        Other.OWN, ('(input: {username: <username>, password: "x y z 1 2 3"})',), Open.YES
    ),
    "Mutation.signIn": Root(
        Other.WRONG_CREDENTIALS, ('(input: {username: <username>, password: "not theirs"})',), Open.YES
    ),
    "Mutation.refreshSession": Root(Other.WRONG_CREDENTIALS, ('(refreshToken: "made up")', ""), Open.YES),
    "Mutation.signOut": Root(Other.WRONG_CREDENTIALS, ('(refreshToken: "made up")', ""), Open.YES),
    "Mutation.updateMe": Root(Other.OWN, ('(input: {fullName: "Mallory"})',)),
    "Mutation.changePassword": Root(
        Other.WRONG_CREDENTIALS, ('(input: {currentPassword: <password>, newPassword: "another horse"})',)
    ),
    "Mutation.uploadVideos": Root(Other.OWN, ('(files: [], idempotencyKey: "owner-key")',)),
    "Mutation.createUpload": Root(
        Other.OWN, ('(input: {filename: "a.mp4", sizeBytes: 8, idempotencyKey: "owner-key"})',)
    ),
    "Mutation.importVideo": Root(
        Other.OWN, ('(url: "https://video.invalid/a.mp4", idempotencyKey: "owner-key")',)
    ),
    "Mutation.startAnalysis": Root(
        Other.NOT_FOUND,
        (
            f"(input: {{videoId: <video>, settings: {_SETTINGS}}})",
            f'(input: {{videoId: <video>, settings: {_SETTINGS}, idempotencyKey: "owner-key"}})',
        ),
    ),
    **{
        f"Mutation.{action}Analysis": Root(Other.NOT_FOUND, ("(id: <running>)", "(id: <failed>)"))
        for action in ("pause", "resume", "cancel", "restart", "delete")
    },
    "Mutation.updatePerson": Root(
        Other.NOT_FOUND, ('(input: {id: <person>, fullName: "Mallory"})', "(input: {id: <person>})")
    ),
    "Mutation.mergePeople": Root(
        Other.NOT_FOUND,
        ("(ids: [<person>, <second_person>], into: <person>)",),
    ),
    "Mutation.splitPerson": Root(Other.NOT_FOUND, ("(id: <person>, appearanceIds: [<appearance>])",)),
    "Mutation.moveAppearance": Root(Other.NOT_FOUND, ("(id: <appearance>, personId: <second_person>)",)),
    "Mutation.rejectAppearance": Root(Other.NOT_FOUND, ("(id: <appearance>)",)),
    "Mutation.chooseProfilePhoto": Root(
        Other.NOT_FOUND, ("(personId: <person>, appearanceId: <appearance>)",)
    ),
    "Mutation.answerSamePerson": Root(
        Other.NOT_FOUND,
        tuple(
            f"(firstId: <person>, secondId: <second_person>, isSame: {answer})"
            for answer in ("true", "false")
        ),
    ),
    "Mutation.deletePerson": Root(Other.NOT_FOUND, ("(id: <person>)",)),
    "Mutation.exportPerson": Root(Other.NOT_FOUND, ("(id: <person>)",)),
    "Mutation.undoPersonChange": Root(Other.NOT_FOUND, ("(changeId: <change>)",)),
    "Mutation.uploadMLModel": Root(Other.FORBIDDEN, ('(file: "none", config: "name: own-x")',)),
    "Mutation.deleteMLModel": Root(Other.FORBIDDEN, ('(name: "own-x")',)),
    "Mutation.deleteVideo": Root(Other.NOT_FOUND, ("(id: <video>)",)),
    "Mutation.deleteAccount": Root(Other.WRONG_CREDENTIALS, ("(password: <password>)",)),
    "Subscription.analysisProgress": Root(
        Other.NOT_FOUND, ("(id: <analysis>)", "(id: <running>)", "(id: <failed>)")
    ),
    "Subscription.myAnalysesProgress": Root(Other.OWN),
    "Subscription.events": Root(Other.OWN, ('(after: "0")', '(after: "4")', "")),
}

NEVER_IN_TEST: set[str] = set()
"""Fields that the owner of the test has no value of."""
