"""Every variable, where it may come from, and everything that is wrong with it, at once."""

from pathlib import Path
from typing import Any

import pytest

from streaming_service.configuration import Role, load, origins, require
from streaming_service.errors import ConfigurationError
from streaming_service.settings import Settings

KEY = "AAECAwQFBgcICQoLDA0ODw=="
PLANTED = "planted-secret-value"
COMPLETE = {
    "CDN_BASE_URL": "https://cdn.example",
    "CDN_SIGNING_SECRET": KEY,
    "AUTH_SERVICE_BASE_URL": "http://auth",
    "SERVICE_AUTH_TOKEN": "a",
    "METRICS_ACCESS_TOKEN": "b",
    "AUTH_SERVICE_INTERNAL_TOKEN": "c",
    "OME_MEDIA_MOUNTS": "gs://uploads=uploads",
    "PUBSUB_UPLOAD_SUBSCRIPTION": "projects/p/subscriptions/s",
    "OME_API_BASE_URL": "http://ome:8081",
    "OME_API_KEY": "k",
    "OME_API_SECRET": "s",
    "OME_PLAYBACK_BASE_URL": "http://ome:3333",
}
ALL_ROLES: tuple[Role, ...] = ("api", "worker", "store")


def read(env_file: Path | None = None, /, **environ: str) -> Settings:
    return load(environ, env_file)


def problems(*roles: Role, **environ: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(environ, None, roles)
    return list(caught.value.problems)


def named(sentences: list[str]) -> list[str]:
    return sorted(sentence.partition(":")[0] for sentence in sentences)


def test_the_defaults_are_those_of_the_interface() -> None:
    settings = read()

    assert (settings.http_host, settings.http_port, settings.http_body_limit) == ("0.0.0.0", 4900, 1_048_576)
    assert (settings.signed_url_ttl_seconds, settings.cdn_signing_key_id) == (300, "primary")
    assert (settings.cdn_probe_regions, settings.probe_timeout_ms) == ("iad,sfo,ams", 3000)
    assert (settings.max_provision_retries, settings.reconciliation_window_minutes) == (5, 60.0)
    assert settings.auth_service_introspection_path == "/api/v1/auth/introspect"
    assert (settings.auth_service_timeout_ms, settings.content_service_timeout_ms) == (2000, 2000)
    assert settings.ome_reels_preset == "720p|1280x720|2500,480p|854x480|1500,360p|640x360|900"
    assert settings.ome_series_preset == "1080p|1920x1080|4500,720p|1280x720|2500,480p|854x480|1500"
    assert settings.app_env == "production"


def test_every_variable_says_what_it_is() -> None:
    assert all(item.description for item in origins(read(), {}, None))


def test_no_default_points_at_a_host() -> None:
    urls = {name: value for name, value in read() if name.endswith("_url")}

    # Google's own keys, and only asked for when Google's tokens are accepted at all.
    assert urls.pop("pubsub_push_jwks_url") == "https://www.googleapis.com/oauth2/v3/certs"
    assert urls
    assert set(urls.values()) == {None}


def test_values_are_read_from_the_environment() -> None:
    settings = read(HTTP_PORT="5000", DRY_RUN_PROVISIONING="true", LOG_LEVEL="debug")

    assert (settings.http_port, settings.dry_run_provisioning, settings.log_level) == (5000, True, "debug")


def test_an_empty_variable_is_not_set() -> None:
    assert read(HTTP_PORT="", CDN_BASE_URL="").http_port == 4900


def test_urls_lose_their_last_slash() -> None:
    assert read(CDN_BASE_URL="https://cdn.example/").cdn_base_url == "https://cdn.example"


# -- where values come from -------------------------------------------------------------------------------------------


def test_the_environment_beats_the_env_file(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("HTTP_PORT=5001\nOME_VHOST=from-file\n")
    settings = read(env_file, HTTP_PORT="5002")

    assert (settings.http_port, settings.ome_vhost) == (5002, "from-file")


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{PLANTED}\n")
    settings = read(OME_API_SECRET_FILE=str(secret))

    assert settings.ome_api_secret is not None
    assert settings.ome_api_secret.get_secret_value() == PLANTED


def test_a_value_beats_the_file_of_the_same_place(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("5001")

    assert read(HTTP_PORT="5002", HTTP_PORT_FILE=str(tmp_path / "port")).http_port == 5002


def test_a_file_named_in_the_environment_beats_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HTTP_PORT=5001\n")
    (tmp_path / "port").write_text("5002")

    assert read(tmp_path / ".env", HTTP_PORT_FILE=str(tmp_path / "port")).http_port == 5002


def test_a_file_may_be_named_in_the_env_file(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("5003")
    (tmp_path / ".env").write_text(f"HTTP_PORT_FILE={tmp_path / 'port'}\n")

    assert read(tmp_path / ".env").http_port == 5003


def test_a_missing_env_file_is_none(tmp_path: Path) -> None:
    assert read(tmp_path / "nothing").http_port == 4900


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    (problem,) = problems(OME_API_SECRET_FILE=str(tmp_path / "nothing"))

    assert problem.startswith("OME_API_SECRET_FILE: ")
    assert "No such file" in problem


def test_a_file_that_holds_no_text_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff\xfe" + PLANTED.encode())
    (problem,) = problems(OME_API_SECRET_FILE=str(tmp_path / "secret"))

    assert problem.startswith("OME_API_SECRET_FILE: ")
    assert PLANTED not in problem


def test_origins_tell_where_each_value_came_from(tmp_path: Path) -> None:
    env_file, port = tmp_path / ".env", tmp_path / "port"
    env_file.write_text("OME_VHOST=v\n")
    port.write_text("5000")
    environ = {"LOG_LEVEL": "debug", "HTTP_PORT_FILE": str(port)}
    found = {item.name: item for item in origins(load(environ, env_file), environ, env_file)}

    assert found["OME_VHOST"].source == str(env_file)
    assert found["LOG_LEVEL"].source == "environment"
    assert found["HTTP_PORT"].source == f"HTTP_PORT_FILE={port}"
    assert found["HTTP_HOST"].source == "default"
    assert (found["HTTP_PORT"].value, found["CDN_BASE_URL"].value) == ("5000", "")


# -- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("HTTP_PORT", "99999", "less than or equal to 65535"),
        ("HTTP_PORT", "abc", "valid integer"),
        ("APP_ENV", "staging", "'development', 'test' or 'production'"),
        ("OME_REELS_PRESET", "720p", "is not name|WIDTHxHEIGHT|kbit/s"),
        ("OME_MEDIA_MOUNTS", "uploads", "is not gs://bucket=folder"),
        ("OME_MEDIA_MOUNTS", "gs://uploads=../etc", "relative path"),
        ("MEDIA_MOUNTS", "gs://uploads=relative", "is not gs://bucket=/absolute/folder"),
        ("CDN_SIGNING_SECRET", "short", "is not base64url of 16 bytes"),
        ("CDN_BASE_URL", "cdn.example", "must be an http:// or https:// URL"),
        ("OME_API_BASE_URL", "http://", "must be an http:// or https:// URL"),
        ("PUBSUB_UPLOAD_SUBSCRIPTION", "uploads", "should match pattern"),
        ("CHANNEL_REPOSITORY_BACKEND", "mysql", "'memory', 'sqlite'"),
        ("FIRESTORE_PROJECT_ID", "My Project", "should match pattern"),
        ("FIRESTORE_DATABASE", "default/x", "should match pattern"),
        ("OME_STREAM_PREFIX", "a/b", "should match pattern"),
        ("SIGNED_URL_TTL_SECONDS", "0", "greater than or equal to 10"),
        ("CDN_PROBE_REGIONS", "iad,iad", "names a region twice"),
        ("CDN_PROBE_REGIONS", "iad=edge.example", "is not name, name=https://edge or name=agent:https://agent"),
        ("CDN_FAILOVER_BASE_URL", "cdn.example", "must be an http:// or https:// URL"),
        ("PROBE_AGENT_REGION", "a,b", "should match pattern"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(name: str, value: str, expected: str) -> None:
    (problem,) = problems(**{name: value})

    assert problem.startswith(f"{name}: ")
    assert expected in problem


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    found = problems(
        HTTP_PORT="abc", OME_REELS_PRESET="x", CDN_BASE_URL="cdn", OME_API_KEY_FILE=str(tmp_path / "nothing")
    )

    assert named(found) == ["CDN_BASE_URL", "HTTP_PORT", "OME_API_KEY_FILE", "OME_REELS_PRESET"]


def test_what_is_missing_is_said_together_with_what_is_wrong(tmp_path: Path) -> None:
    environ = {**COMPLETE, "HTTP_PORT": "abc", "CDN_BASE_URL": "cdn", "OME_API_KEY_FILE": str(tmp_path / "nothing")}
    del environ["OME_MEDIA_MOUNTS"], environ["OME_API_KEY"]

    found = problems(*ALL_ROLES, **environ)
    assert named(found) == ["CDN_BASE_URL", "HTTP_PORT", "OME_API_KEY_FILE", "OME_MEDIA_MOUNTS"]


def test_a_secret_is_never_in_a_message_or_a_listing() -> None:
    secrets = [name.upper() for name, info in Settings.model_fields.items() if "SecretStr" in str(info.annotation)]
    assert len(secrets) >= 10
    environ = dict.fromkeys(secrets, PLANTED)
    found = problems(**environ, HTTP_PORT=PLANTED)
    keys = {
        "CDN_SIGNING_SECRET": KEY,
        "CDN_SIGNING_NEXT_SECRET": KEY,
        "CDN_SIGNING_RETIRED_KEYS": f"old={KEY}@2026-01-02T03:04:05Z",
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={PLANTED}",
    }
    assert {*keys, "HTTP_PORT"} == set(named(found))
    assert PLANTED not in str(found)

    environ |= keys
    settings = read(**environ)
    assert PLANTED not in repr(settings)
    assert KEY not in repr(settings)
    listed = origins(settings, environ, None)
    assert PLANTED not in str(listed)
    assert {item.value for item in listed if item.name in secrets} == {"********"}


def test_the_error_keeps_no_cause_that_could_show_a_value() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(CDN_SIGNING_SECRET=PLANTED)

    assert caught.value.__cause__ is None
    assert PLANTED not in str(caught.value)


# -- what roles need --------------------------------------------------------------------------------------------------


def missing(*roles: Role, **environ: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        require(read(**environ), *roles)
    return named(list(caught.value.problems))


@pytest.mark.parametrize("roles", [("api",), ("worker",), ("store",), ALL_ROLES])
def test_a_complete_configuration_suffices(roles: tuple[Role, ...]) -> None:
    settings = read(**COMPLETE)

    assert require(settings, *roles) is settings
    assert load(COMPLETE, None, roles) == settings


def test_a_worker_that_can_be_scraped_asks_for_the_token() -> None:
    without: dict[str, Any] = {key: value for key, value in COMPLETE.items() if key != "METRICS_ACCESS_TOKEN"}

    assert missing("worker", **without, WORKER_HTTP_PORT="9100") == ["METRICS_ACCESS_TOKEN"]


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("CDN_BASE_URL", ("api", "worker")),
        ("CDN_SIGNING_SECRET", ("api", "worker")),
        ("AUTH_SERVICE_BASE_URL", ("api",)),
        ("SERVICE_AUTH_TOKEN", ("api",)),
        ("METRICS_ACCESS_TOKEN", ("api",)),
        ("AUTH_SERVICE_INTERNAL_TOKEN", ("api",)),
        ("OME_MEDIA_MOUNTS", ("api", "worker")),
        ("PUBSUB_UPLOAD_SUBSCRIPTION", ("worker",)),
        ("OME_API_BASE_URL", ("worker",)),
        ("OME_API_KEY", ("worker",)),
        ("OME_API_SECRET", ("worker",)),
        ("OME_PLAYBACK_BASE_URL", ("api", "worker")),
    ],
)
def test_each_role_asks_for_what_it_needs_and_no_more(name: str, roles: tuple[Role, ...]) -> None:
    without: dict[str, Any] = {key: value for key, value in COMPLETE.items() if key != name}

    for role in ALL_ROLES:
        if role in roles:
            assert missing(role, **without) == [name]
        else:
            require(read(**without), role)


def test_all_that_is_missing_is_said_once_and_at_once() -> None:
    found = missing("api", "worker")

    assert found == sorted(set(COMPLETE))


def test_development_does_without_service_tokens() -> None:
    environ = {name: value for name, value in COMPLETE.items() if not name.endswith("_TOKEN")}

    require(read(**environ, APP_ENV="development"), "api")


def test_google_is_believed_with_audience_and_account_together_only() -> None:
    for name, value in (("PUBSUB_PUSH_AUDIENCE", "https://s.test"), ("PUBSUB_PUSH_SERVICE_ACCOUNT", "a@b.iam")):
        with pytest.raises(ConfigurationError, match="PUBSUB_PUSH_"):
            require(read(**COMPLETE, **{name: value}), "api")
        require(read(**COMPLETE, **{name: value}), "worker")


@pytest.mark.parametrize("topic", ["audit", "projects/p/subscriptions/audit", "projects//topics/audit"])
def test_the_audit_topic_is_a_full_path(topic: str) -> None:
    with pytest.raises(ConfigurationError, match="AUDIT_LOG_TOPIC"):
        read(AUDIT_LOG_TOPIC=topic)


def test_a_probe_agent_needs_its_region_and_the_secret_and_nothing_of_the_service() -> None:
    environ = {"PROBE_AGENT_REGION": "iad", "PROBE_AGENT_SECRET": "whsec_c2VjcmV0", "METRICS_ACCESS_TOKEN": "m"}

    require(read(**environ), "probe-agent")
    assert missing("probe-agent") == sorted(environ)
    assert missing("probe-agent", APP_ENV="test") == ["PROBE_AGENT_REGION", "PROBE_AGENT_SECRET"]


@pytest.mark.parametrize("role", ["api", "worker"])
def test_who_asks_agents_needs_their_secret(role: Role) -> None:
    regions = {"CDN_PROBE_REGIONS": "iad,ams=agent:https://probe-ams.example"}

    assert missing(role, **COMPLETE, **regions) == ["PROBE_AGENT_SECRET"]
    require(read(**COMPLETE, **regions, PROBE_AGENT_SECRET="whsec_c2VjcmV0"), role)


def test_a_dry_run_needs_no_ome() -> None:
    environ = {name: value for name, value in COMPLETE.items() if not name.startswith(("OME_API", "OME_PLAYBACK"))}

    require(read(**environ, DRY_RUN_PROVISIONING="true"), "worker")


@pytest.mark.parametrize("source", ["push", "embedded"])
def test_only_pulling_needs_a_subscription(source: str) -> None:
    environ = {name: value for name, value in COMPLETE.items() if name != "PUBSUB_UPLOAD_SUBSCRIPTION"}

    require(read(**environ, EVENT_SOURCE=source), "worker")


def test_postgres_needs_its_address_in_every_role() -> None:
    for role in ALL_ROLES:
        assert "POSTGRES_DSN" in missing(role, CHANNEL_REPOSITORY_BACKEND="postgres")


def test_firestore_needs_its_project_in_every_role() -> None:
    for role in ALL_ROLES:
        assert "FIRESTORE_PROJECT_ID" in missing(role, CHANNEL_REPOSITORY_BACKEND="firestore")


def test_an_empty_secret_file_is_a_missing_secret(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    environ = {name: value for name, value in COMPLETE.items() if name != "OME_API_KEY"}

    assert missing("worker", **environ, OME_API_KEY_FILE=str(tmp_path / "empty")) == ["OME_API_KEY"]


def test_local_mounts_are_folders_by_bucket() -> None:
    settings = read(MEDIA_MOUNTS="gs://uploads=/mnt/uploads, gs://other/=/mnt/other")

    assert settings.local_mounts == {"uploads": Path("/mnt/uploads"), "other": Path("/mnt/other")}
