"""The variables of tracing: those of OpenTelemetry's specification by their own names, and one of ours.

What is not here (`OTEL_EXPORTER_OTLP_TIMEOUT`, `…_COMPRESSION`, `…_CERTIFICATE`) OpenTelemetry's exporter reads from
the environment itself.
"""

from typing import Literal
from urllib.parse import unquote

from pydantic import BaseModel, Field, SecretStr, field_validator

TRACES_PATH = "/v1/traces"


class TracingSettings(BaseModel):
    """Part of `Settings`."""

    otel_exporter_otlp_endpoint: str | None = Field(
        None, description="Base URL of the OTLP receiver, for example http://collector:4318; unset: nothing is traced."
    )
    otel_exporter_otlp_traces_endpoint: str | None = Field(
        None, description="Full URL of its traces, when that is not the base URL and /v1/traces."
    )
    otel_exporter_otlp_protocol: Literal["http/protobuf"] = Field(
        "http/protobuf", description="How spans are sent; there is no other way."
    )
    otel_exporter_otlp_headers: SecretStr | None = Field(
        None, description="Sent with each export: name=value,…, values percent-encoded."
    )
    otel_service_name: str = Field("streaming-service", min_length=1, description="This process's name in traces.")
    otel_resource_attributes: str = Field("", description="More about this process: name=value,…, likewise.")
    otel_traces_sampler: Literal[
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ] = Field("parentbased_always_on", description="Which traces are recorded.")
    otel_traces_sampler_arg: float = Field(1.0, ge=0, le=1, description="Which part, for the samplers with a ratio.")
    otel_bsp_max_queue_size: int = Field(
        4096,
        ge=1,
        le=1_000_000,
        description="Ended spans that may wait to be sent; more are dropped, and counted.",
    )
    otel_bsp_schedule_delay: int = Field(2000, ge=10, description="Milliseconds between two exports.")
    otel_sdk_disabled: bool = Field(False, description="Trace nothing, whatever else is set.")
    tracing_manifest_ratio: float = Field(
        0.001,
        ge=0,
        le=1,
        description="Part of the manifest requests answered from memory that may begin a trace of their own.",
    )

    @property
    def traces_endpoint(self) -> str | None:
        """Where spans go; None when nothing is traced."""
        if self.otel_sdk_disabled:
            return None
        base = self.otel_exporter_otlp_endpoint
        return self.otel_exporter_otlp_traces_endpoint or (f"{base}{TRACES_PATH}" if base else None)

    @field_validator("otel_exporter_otlp_endpoint", "otel_exporter_otlp_traces_endpoint")
    @classmethod
    def _check_endpoint(cls, value: str | None) -> str | None:
        if not value:
            return None
        if not value.startswith(("http://", "https://")) or not value.partition("://")[2].strip("/"):
            raise ValueError("must be an http:// or https:// URL")
        return value.rstrip("/")

    @field_validator("otel_resource_attributes")
    @classmethod
    def _check_attributes(cls, value: str) -> str:
        parse_pairs(value)
        return value

    @field_validator("otel_exporter_otlp_headers")
    @classmethod
    def _check_headers(cls, value: SecretStr | None) -> SecretStr | None:
        parse_pairs(value.get_secret_value() if value else "")
        return value


def parse_pairs(text: str) -> dict[str, str]:
    """`name=value,other=value` with percent-encoded values, as W3C Baggage has it. Raises ValueError."""
    pairs: dict[str, str] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = entry.partition("=")
        if not equals or not name.strip():
            raise ValueError("must be name=value pairs, comma separated")
        pairs[name.strip()] = unquote(value.strip())
    return pairs
