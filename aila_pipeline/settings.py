"""Settings: the only reader of the environment (and of `.env`).

Lives here: every `AILA_*` setting, its default and its unit. Does not: credentials and endpoint of S3, which boto3
reads by itself (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL_S3` …), and per-tenant settings, which the ledger keeps.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_PACKAGE = Path(__file__).parent

SPEECH_MEMORY_MB = 2500
"""Enough for `small` in two workers with batches of five; `tiny` takes less than 1 GB of it (docs/benchmarks.md)."""


class Settings(BaseSettings):
    """All settings. Made once per process by whoever starts it, and handed down."""

    model_config = SettingsConfigDict(env_prefix="AILA_", env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(Path(".aila"), description="SQLite files, objects and Dagster's home, when nothing else is set")
    database_url: str | None = Field(None, description="the ledger: sqlite:///… or postgresql://…")
    dagster_database_url: str | None = Field(None, description="Dagster's storage; default: the ledger's PostgreSQL")
    object_store: str | None = Field(None, description="file:///directory or s3://bucket/prefix")

    whisper_model: str = Field("small", description="a size that faster-whisper downloads, a directory, or `demo`")
    whisper_device: Literal["auto", "cpu", "cuda"] = "auto"
    whisper_compute_type: str = Field("default", description="as CTranslate2 names them; default: int8 on CPU")
    whisper_beam_size: Annotated[int, Field(ge=1, le=20)] = 5
    speech_engine: Literal["pooled", "plain"] = Field(
        "pooled", description="`plain` takes one channel after the other, as a script with faster-whisper would"
    )
    speech_memory_mb: Annotated[int, Field(ge=100)] = Field(
        SPEECH_MEMORY_MB, description="what the pooled engine may take beside the model, in RAM or on the GPU"
    )
    cpu_threads: Annotated[int, Field(ge=0)] = Field(
        0, description="of recognition, and processes of re-scoring; 0: all"
    )

    watch_prefixes: Annotated[tuple[str, ...], NoDecode] = Field(
        ("inbox/", ""), description="where the drop zone lies, comma separated; the empty prefix is the store's root"
    )
    settle_seconds: float = Field(2.0, description="a file in a directory counts once it stood still for so long")
    pair_alarm_minutes: float = Field(30.0, description="a pair that waits longer for its other half is told about")
    create_tenants: bool = Field(True, description="a country/firm not seen before is created by its first drop")

    shard_size: Annotated[int, Field(ge=1, le=100)] = 100
    max_shards_in_flight: Annotated[int, Field(ge=1)] = Field(4, description="shards admitted at one time")
    lease_seconds: float = Field(30.0, description="a worker that stops renewing loses its shard after so long")
    stall_seconds: float = Field(1800.0, description="a worker without progress for so long stops renewing")
    crash_limit: Annotated[int, Field(ge=1)] = Field(5, description="a call that killed so many workers is failed")
    retry_limit: Annotated[int, Field(ge=0)] = Field(3, description="automatic attempts after the first one")
    retry_minutes: float = Field(10.0, description="pause before the first automatic retry; doubles each time")

    max_audio_hours: float = 4.0
    max_audio_bytes: int = 2 * 1024**3
    max_rows: int = Field(100_000, description="rows of one pair in the drop zone")
    checklists: Path = Field(_PACKAGE / "demo" / "checklists", description="directory of checklist YAML files")

    api_url: str | None = Field(
        None, description="the API as clients reach it, for URLs it hands out; default: as asked"
    )
    api_max_rows: int = Field(10_000, description="rows of one pair that comes through the API")
    upload_seconds: Annotated[int, Field(ge=1)] = Field(3600, description="how long the URLs of an upload can be used")
    upload_secret: SecretStr | None = Field(None, description="signs upload URLs of a directory; default: kept in home")
    max_upload_bytes: int = Field(5 * 1024**3, description="one PUT to a directory store; S3 itself takes 5 GiB")
    idempotency_hours: float = Field(24.0, description="how long the answer to an Idempotency-Key is remembered")

    fetch_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="host:port pairs to fetch audio from, or send webhooks to, that are not public"
    )
    fetch_connect_seconds: float = Field(10.0, description="patience for a connection to an audio host")
    fetch_first_byte_seconds: float = Field(30.0, description="patience for its answer, and for each further block")
    fetch_slowest_bytes_per_second: float = Field(4096.0, description="slower than this over a minute is given up")
    fetch_longest_minutes: float = Field(60.0, description="one download with all its tries, however steadily it goes")
    fetch_tries: Annotated[int, Field(ge=1)] = Field(4, description="connections one download may take")
    fetch_per_host: Annotated[int, Field(ge=1)] = Field(4, description="downloads from one host at one time")
    fetch_ahead: Annotated[int, Field(ge=1)] = Field(8, description="recordings of a shard downloaded at one time")
    probe_seconds: float = Field(5.0, description="how long a submission may look whether its URLs answer; 0: not")

    llm_base_url: str | None = Field(None, description="an OpenAI-compatible server, like https://host/v1; none: rules")
    llm_api_key: SecretStr | None = Field(None, description="for that server, if it wants one")
    llm_model: str | None = Field(None, description="the model's name as that server knows it")
    llm_timeout_seconds: Annotated[float, Field(gt=0)] = Field(120.0, description="patience for one answer")
    llm_concurrency: Annotated[int, Field(ge=1, le=64)] = Field(4, description="calls of a shard asked about at a time")
    llm_transcript_characters: Annotated[int, Field(ge=2_000)] = Field(
        60_000, description="of a longer call the middle is not sent; an hour of talk has about 55,000"
    )
    llm_prompt_price: Annotated[Decimal, Field(ge=0, le=10**6)] = Field(Decimal(0), description="a million tokens read")
    llm_completion_price: Annotated[Decimal, Field(ge=0, le=10**6)] = Field(
        Decimal(0), description="a million tokens written, in the same currency"
    )
    llm_batch_budget: Annotated[Decimal, Field(ge=0, le=10**9)] | None = Field(
        None, description="the most that the calls of one batch may cost, in the currency of the prices"
    )

    delivery_tries: Annotated[int, Field(ge=1)] = Field(
        25, description="so often a webhook or CRM message is tried; with the pauses as they are more than three days"
    )
    delivery_pause_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(
        10.0, description="pause after the first try that failed; doubles up to six hours"
    )
    delivery_seconds: Annotated[float, Field(gt=0, le=60)] = Field(
        15.0, description="patience for a webhook's receiver, connection and answer together"
    )
    delivery_minutes: float = Field(10.0, description="a delivery run ends after so long, and the next one goes on")
    delivery_linger_seconds: float = Field(15.0, description="so long a delivery run waits for more to deliver")
    delivery_alarm_minutes: float = Field(60.0, description="a message that waits longer raises a warning")
    keep_delivered_days: Annotated[int, Field(ge=1)] = Field(30, description="how long a delivered message is listed")

    failure_share: float = Field(0.2, description="a shard in which more of the calls failed raises a warning")
    demo: bool = Field(False, description="this is a demo: the demo model is not warned about")

    dagster_url: str = "http://127.0.0.1:3000"
    keep_partitions_days: Annotated[int, Field(ge=1)] = 30

    @field_validator("watch_prefixes", "fetch_allow", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """`inbox/,` is the two prefixes `inbox/` and the root."""
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("llm_base_url", "llm_api_key", "llm_model", "llm_batch_budget", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        """An environment variable can be set to nothing, but not to none."""
        return None if value == "" else value

    @model_validator(mode="after")
    def _model_asked_and_paid(self) -> Settings:
        """Half a setting would be found out by the first call of a batch, hours later."""
        if (self.llm_base_url is None) != (self.llm_model is None):
            raise ValueError("AILA_LLM_BASE_URL and AILA_LLM_MODEL belong together: set both, or none")
        if self.llm_base_url is not None and not self.llm_base_url.startswith(("http://", "https://")):
            raise ValueError("AILA_LLM_BASE_URL must begin with https:// or http://")
        if self.llm_batch_budget is not None and not (self.llm_prompt_price and self.llm_completion_price):
            raise ValueError("AILA_LLM_BATCH_BUDGET needs AILA_LLM_PROMPT_PRICE and AILA_LLM_COMPLETION_PRICE")
        return self

    @property
    def ledger_url(self) -> str:
        """SQLAlchemy URL of the ledger."""
        return self.database_url or f"sqlite:///{(self.home / 'ledger.db').absolute()}"

    @property
    def store_url(self) -> str:
        """URL of the object store."""
        return self.object_store or f"file://{(self.home / 'objects').absolute()}"

    @property
    def dagster_home(self) -> Path:
        """Dagster's own directory: its configuration, and its SQLite files when there is no PostgreSQL."""
        return self.home.absolute() / "dagster"
