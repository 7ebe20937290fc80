"""Every setting of Framewise, typed and with its default: the only reader of the environment."""

import os
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _default_data_dir() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "framewise"


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _checked_rates(value: str) -> str:
    """The value, if it says rates such as `10/minute,100/hour`, or nothing."""
    from limits import parse_many  # only where settings are made

    if not value.strip():
        return ""
    try:
        rates = parse_many(value)
    except ValueError:
        rates = []
    if not rates or any(rate.amount == 0 for rate in rates):
        raise ValueError(
            f"{value!r} says no rates: write them like 10/minute or 10/minute,100/hour (second, minute, hour "
            "or day); an empty text switches the limit off"
        )
    return value


def _checked_networks(value: str) -> str:
    """The value, if it is a list of addresses and networks with commas, or nothing."""
    for part in value.split(",") if value.strip() else ():
        try:
            ip_network(part.strip())
        except ValueError:
            raise ValueError(
                f"{part.strip()!r} is no address or network: write them like 192.0.2.7 or 192.168.0.0/16, "
                "several with commas"
            ) from None
    return value


Rates = Annotated[str, AfterValidator(_checked_rates)]
Networks = Annotated[str, AfterValidator(_checked_networks)]
PositiveInt = Annotated[int, Field(gt=0)]
PositiveFloat = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """Read from environment variables named ``FRAMEWISE_`` + the field's name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="FRAMEWISE_", frozen=True, populate_by_name=True, use_attribute_docstrings=True
    )

    # Where things are
    data_dir: Path = Field(default_factory=_default_data_dir)
    """Folder of everything the server keeps: database, files, weights, secret."""
    database_url: str = ""
    """`sqlite://…` or `postgres://…`; empty: a SQLite file in `data_dir`."""
    redis_url: str = Field(default="", validation_alias=AliasChoices("FRAMEWISE_REDIS_URL", "REDIS_URL"))
    """Redis or Valkey; empty: `framewise serve` starts a private Valkey."""
    storage_url: str = ""
    """`file:///dir` or `s3://bucket/prefix?endpoint_url=…`; empty: `files/` in `data_dir`."""
    weights_dir: Path | None = None
    """Folder of downloaded model weights; empty: `weights/` in `data_dir`."""
    weights_mirror: str = ""
    """A folder or URL that holds weights under their official file names; tried before the official URL."""
    models_dir: Path | None = None
    """Folder of files that describe models of your own; empty: `models/` in `data_dir`."""

    # The server
    host: str = "127.0.0.1"
    """Address the API listens on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port the API listens on."""
    public_url: str = ""
    """Address people reach the API at, for links to files; empty: taken from each request."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    trusted_proxies: Networks = ""
    """Addresses or networks of proxies, with commas, whose `X-Forwarded-For` and `-Proto` are believed."""
    allowed_origins: str = ""
    """Origins of other web pages, with commas, that may use cookies here; the server's own always may."""
    graphiql: bool = True
    """Whether browsers get GraphiQL at `/graphql`."""
    introspection: bool = True
    """Whether clients may ask for the schema."""
    trusted_documents: Path | None = None
    """A JSON file of `{"sha256 or name": "document"}`: if set, no other documents are executed."""

    # Accounts
    allow_sign_up: bool = True
    """Whether `signUp` makes accounts; off: only `framewise users create` does."""
    access_token_seconds: PositiveInt = 900
    """Life of an access token."""
    refresh_token_seconds: PositiveInt = 30 * 86400
    """Life of a refresh token; each use gives a new one."""
    file_url_seconds: PositiveInt = 3600
    """Life of a signed link to a file."""

    # Limits on what comes in
    max_upload_bytes: PositiveInt = 10 * 2**30
    """Largest video file."""
    max_request_bytes: PositiveInt = 20 * 2**30
    """Largest upload request, all its files together."""
    max_files_per_upload: PositiveInt = 100
    """Most files in one `uploadVideos`."""
    max_graphql_body_bytes: PositiveInt = 256 * 2**10
    """Largest GraphQL request without files."""
    max_query_bytes: PositiveInt = 32_768
    """Largest GraphQL document; variables do not count."""
    max_query_tokens: PositiveInt = 2_000
    """Most tokens in a GraphQL document."""
    max_query_depth: PositiveInt = 15
    """Most fields below each other in a document, fragments followed."""
    max_query_aliases: PositiveInt = 100
    """Most aliases in a document, fragments followed."""
    max_query_directives: PositiveInt = 100
    """Most directives in a document, fragments followed."""
    max_query_cost: PositiveInt = 50_000
    """Most fields that an answer may have, lists counted with their page sizes."""
    max_subscriptions_per_socket: PositiveInt = 100
    """Most subscriptions at once on one WebSocket."""
    max_subscriptions_per_user: PositiveInt = 1000
    """Most subscriptions of one account at once, on all sockets of one API process."""
    max_sockets_per_user: PositiveInt = 100
    """Most WebSockets of one account at once, on one API process."""
    max_open_uploads_per_user: PositiveInt = 100
    """Most resumable uploads of one account that are not finished."""
    upload_expiry_seconds: PositiveInt = 86400
    """How long a resumable upload is kept after its last byte came."""
    max_imports_per_user: PositiveInt = 20
    """Most videos of one account that are being fetched from a URL, or wait for it."""
    import_timeout_seconds: PositiveFloat = 3600.0
    """How long fetching a video from a URL may take."""
    import_allowed_networks: Networks = ""
    """Networks, with commas, that videos may be imported from although not public: cameras, a NAS."""

    # How often: numbers as `10/minute`, several with commas
    sign_in_rate_per_address: Rates = "120/minute"
    """Sign-ins, successful or not, from one address."""
    sign_in_rate_per_username: Rates = "10/minute,100/hour"
    """Failed sign-ins for one username; beyond, it is locked out for a while that doubles each time."""
    sign_up_rate_per_address: Rates = "30/minute,300/hour"
    """New accounts from one address."""
    mutation_rate_per_user: Rates = "3000/minute"
    """Uploads, imports, starts, comparisons, searches by photo and deletions of one account."""
    max_videos_per_user: PositiveInt = 10_000
    """Most videos one account keeps; rejected ones do not count."""
    max_video_duration_seconds: PositiveFloat = 24 * 3600
    """Longest video."""
    max_video_width: PositiveInt = 8192
    """Widest video, in pixels."""
    max_video_height: PositiveInt = 8192
    """Highest video, in pixels."""
    max_unfinished_analyses_per_user: PositiveInt = 1000
    """Most analyses of one account that are queued, running or paused at once."""
    max_unfinished_analyses: PositiveInt = 100_000
    """Most analyses of all accounts that are queued, running or paused at once."""
    max_compared_detections: PositiveInt = 2_000_000
    """Most detections of two analyses together that `compareAnalyses` takes."""
    max_own_models: PositiveInt = 100
    """Most uploaded models."""
    max_own_model_bytes: PositiveInt = 2**30
    """Largest file of an uploaded model."""
    own_model_check_seconds: PositiveFloat = 60.0
    """How long an uploaded model may take to load and to look at a few images."""
    face_matching: bool = True
    """Whether faces may become people: off, `createPeople` and photo search are refused."""
    face_embedding_model: str = ""
    """What describes faces; empty: mobilefacenet if its weights are there, else sface."""
    face_min_pixels: PositiveInt = 32
    """Smallest face that becomes a person: the shorter side of its box."""
    people_retention_days: float = Field(default=0.0, ge=0)
    """People who were seen in no video for so long are deleted, by the day of analysis; 0: never."""
    max_photo_bytes: PositiveInt = 20 * 2**20
    """Largest photo to search people by."""
    max_photo_pixels: PositiveInt = 50_000_000
    """Largest photo to search people by, width times height."""
    min_free_bytes: int = Field(default=256 * 2**20, ge=0)
    """With less room on the disk, uploads are refused and analyses wait."""

    # The work
    slots: PositiveInt = Field(default_factory=_available_cores)
    """Segments analysed at once by one worker; one process and one thread of compute each."""
    segment_seconds: float = Field(default=0.0, ge=0)
    """Aimed length of a segment; 0: a sixteenth of the video, from 1 s to 10 s."""
    lease_seconds: PositiveFloat = 10.0
    """How long a claimed piece of work stays claimed without a sign of life."""
    max_slots_per_user: int = Field(default=0, ge=0)
    """Pieces of work of one account that run at once, on all workers together; 0: no limit."""
    max_attempts: PositiveInt = 3
    """How often a piece of work is tried when its process crashes, takes too long or fails."""
    max_interruptions: PositiveInt = 10
    """How often a piece of work is taken up again when its worker vanishes or its process is killed."""
    base_time_limit_seconds: PositiveFloat = 60.0
    """Time that any piece of work may take, however small."""
    frame_time_limit_seconds: PositiveFloat = 10.0
    """Time that each frame of a piece of work adds to that."""
    stall_seconds: PositiveFloat = 60.0
    """Longest time in which an analysis process makes no progress at all."""
    device: Literal["cpu", "cuda", "mps", "auto"] = "cpu"
    """What models compute on: `cpu`, `cuda`, `mps`, or `auto`: the best of those that are there."""
    analysis_process_memory_bytes: PositiveInt = 8 * 2**30
    """Most memory one analysis process may take."""
    analysis_process_growth_bytes: PositiveInt = 512 * 2**20
    """An analysis process that grew by this much since its first piece of work is replaced."""
    analysis_process_max_jobs: PositiveInt = 500
    """Pieces of work after which an analysis process is replaced."""
    analysis_process_network: bool = False
    """Whether analysis processes may open sockets although all files are local: some models ask a service."""
    progress_interval_seconds: PositiveFloat = 0.2
    """Least time between two progress messages of one piece of work."""

    # What is kept, and for how long
    event_retention_days: PositiveFloat = 30.0
    """How long events can be read."""
    detections_retention_days: PositiveFloat = 30.0
    """How long detections that no analysis refers to are kept for the next one."""
    audit_retention_days: PositiveFloat = 365.0
    """How long sign-ins, deletions and other steps that matter for security stay in the audit log."""
    abandoned_seconds: PositiveFloat = 86400.0
    """Age at which stored files that belong to nothing are removed."""
    housekeeping_interval_seconds: PositiveFloat = 3600.0
    """Time between two rounds of housekeeping."""

    def resolved_database_url(self) -> str:
        """The database URL, the SQLite file of `data_dir` if none is set."""
        return self.database_url or f"sqlite://{self.data_dir / 'framewise.sqlite3'}"

    def resolved_storage_url(self) -> str:
        """The storage URL, the folder `files` of `data_dir` if none is set."""
        return self.storage_url or (self.data_dir.absolute() / "files").as_uri()

    def decode_threads(self) -> int:
        """Threads that decode for one slot: cores that no slot uses help the decoders."""
        return max(1, _available_cores() // self.slots)

    def resolved_weights_dir(self) -> Path:
        """The folder of model weights."""
        return self.weights_dir or self.data_dir / "weights"

    def resolved_models_dir(self) -> Path:
        """The folder of files that describe models of one's own."""
        return self.models_dir or self.data_dir / "models"

    def resolved_weights_mirror(self) -> str | None:
        """The mirror of model weights; None if there is none."""
        return self.weights_mirror or None


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once."""
    return Settings()
