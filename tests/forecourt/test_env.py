from pathlib import Path

import dj_database_url
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecourt.env import NAMES, Environment, WrongSetting, read_environment

KEY = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
SERVER = {"DATABASE_URL": "postgresql://app:hunter2hunter2@db:5432/forecourt", "FORECOURT_SECRET_KEY": KEY}


def read(folder: Path, **environ: str) -> Environment:
    return read_environment({"FORECOURT_SECRET_KEY": KEY, **environ}, folder)


def refusal(folder: Path, **environ: str) -> WrongSetting:
    with pytest.raises(WrongSetting) as caught:
        read(folder, **environ)
    return caught.value


def test_nothing_set_is_an_embedded_installation_on_loopback(tmp_path: Path) -> None:
    environment = read_environment({}, tmp_path)
    assert environment.database_embedded
    assert environment.broker_embedded
    assert environment.data_dir == tmp_path / ".forecourt"
    assert environment.public_url == "http://127.0.0.1:8080"
    assert environment.allowed_hosts == ("localhost", "127.0.0.1", "[::1]")
    assert not environment.secure
    assert not environment.debug
    assert environment.stripe_secret_key == ""
    assert environment.stripe_api_base == "https://api.stripe.com"
    assert environment.operator_slug == "operator"


def test_embedded_urls_name_the_sockets_of_the_data_folder(tmp_path: Path) -> None:
    environment = read(tmp_path)
    database = dj_database_url.parse(environment.database_url)
    sockets = Path(database["HOST"])
    assert database["NAME"] == "forecourt"
    assert database["PORT"] == 5432
    assert environment.broker_url == f"redis+socket://{sockets}/valkey.sock"
    assert read(tmp_path, FORECOURT_DATA_DIR="elsewhere").database_url != environment.database_url


def test_generated_key_is_kept_private_and_read_again(tmp_path: Path) -> None:
    first = read_environment({}, tmp_path)
    kept = tmp_path / ".forecourt" / "secret-key"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert len(first.secret_key) >= 50
    assert read_environment({}, tmp_path).secret_key == first.secret_key
    assert [path.name for path in kept.parent.iterdir()] == ["secret-key"]


def test_key_of_another_folder_is_another(tmp_path: Path) -> None:
    other = read_environment({"FORECOURT_DATA_DIR": "other"}, tmp_path)
    assert read_environment({}, tmp_path).secret_key != other.secret_key


def test_broken_kept_key_is_named(tmp_path: Path) -> None:
    (tmp_path / ".forecourt").mkdir()
    (tmp_path / ".forecourt" / "secret-key").write_text("short")
    with pytest.raises(WrongSetting, match=r"secret-key: found a value of 5 characters"):
        read_environment({}, tmp_path)


def test_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WrongSetting, match=r"FORECOURT_DATA_DIR: found .*Not a directory"):
        read_environment({"FORECOURT_DATA_DIR": "file/data"}, tmp_path)


def test_server_installation_embeds_nothing_and_writes_nothing(tmp_path: Path) -> None:
    environment = read_environment({**SERVER, "BROKER_URL": "amqps://u:p@mq/v;amqps://u:p@mq2/v"}, tmp_path)
    assert not environment.database_embedded
    assert not environment.broker_embedded
    assert environment.database_url == SERVER["DATABASE_URL"]
    assert environment.broker_url == "amqps://u:p@mq/v;amqps://u:p@mq2/v"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "environ",
    [
        {"DATABASE_URL": SERVER["DATABASE_URL"]},
        {"FORECOURT_PUBLIC_URL": "https://forecourt.example"},
        {"FORECOURT_PUBLIC_URL": "http://192.0.2.7"},
    ],
)
def test_production_refuses_to_start_without_a_key(environ: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="FORECOURT_SECRET_KEY: found nothing; expected at least 50 random"):
        read_environment(environ, tmp_path)


def test_own_database_with_debug_on_loopback_is_development(tmp_path: Path) -> None:
    environment = read_environment({"DATABASE_URL": "postgres://localhost/x", "FORECOURT_DEBUG": "1"}, tmp_path)
    assert environment.debug
    assert len(environment.secret_key) >= 50


def test_debug_is_refused_where_others_can_reach_it(tmp_path: Path) -> None:
    error = refusal(tmp_path, FORECOURT_DEBUG="on", FORECOURT_PUBLIC_URL="https://forecourt.example")
    assert error.name == "FORECOURT_DEBUG"


@pytest.mark.parametrize(
    ("public_url", "said", "secure"),
    [
        ("http://localhost:8080", "", False),
        ("http://[::1]:8080", "", False),
        ("https://localhost", "", True),
        ("https://forecourt.example/", "", True),
        ("http://forecourt.example", "", True),
        ("https://forecourt.example", "off", False),
        ("http://127.0.0.1", "yes", True),
    ],
)
def test_https_is_required_unless_http_on_loopback(public_url: str, said: str, secure: bool, tmp_path: Path) -> None:
    environment = read(tmp_path, FORECOURT_PUBLIC_URL=public_url, FORECOURT_SECURE=said)
    assert environment.secure is secure
    assert environment.public_url == public_url.rstrip("/")


@pytest.mark.parametrize(
    ("public_url", "hosts"),
    [
        ("https://forecourt.example", ("forecourt.example", "localhost", "127.0.0.1", "[::1]")),
        ("https://[2001:db8::1]", ("[2001:db8::1]", "localhost", "127.0.0.1", "[::1]")),
    ],
)
def test_public_host_and_loopback_are_allowed(public_url: str, hosts: tuple[str, ...], tmp_path: Path) -> None:
    assert read(tmp_path, FORECOURT_PUBLIC_URL=public_url).allowed_hosts == hosts


def test_allowed_hosts_are_a_list(tmp_path: Path) -> None:
    assert read(tmp_path, FORECOURT_ALLOWED_HOSTS="a.example, .b.example,[::1]").allowed_hosts == (
        "a.example",
        ".b.example",
        "[::1]",
    )


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("DATABASE_URL", "mysql://app:hunter2hunter2@db/x", "'mysql://db/x'"),
        ("DATABASE_URL", "postgresql://app:hunter2hunter2@db", "'postgresql://db'"),
        ("DATABASE_URL", "postgresql://app:hunter2hunter2@db:hunter2hunter2/x", "what is no URL"),
        ("DATABASE_URL", "forecourt", "''"),
        ("BROKER_URL", "kafka://u:hunter2hunter2@mq/", "'kafka://mq/'"),
        ("BROKER_URL", "redis+socket://", "'redis+socket://'"),
        ("BROKER_URL", "amqp://mq/;amqp://", "'amqp://'"),
        ("STRIPE_SECRET_KEY", "pk_test_hunter2hunter2", "a value of 22 characters"),
        ("STRIPE_WEBHOOK_SECRET", "hunter2hunter2", "a value of 14 characters"),
        ("STRIPE_API_BASE", "http://stripe.example", "http://stripe.example"),
        ("STRIPE_API_BASE", "api.stripe.com", "''"),
        ("FORECOURT_SECRET_KEY", "hunter2hunter2", "a value of 14 characters"),
        ("FORECOURT_SECRET_KEY", "django-insecure-" + KEY, "a key that can be guessed"),
        ("FORECOURT_SECRET_KEY", "ab" * 30, "a key that can be guessed"),
        ("FORECOURT_MAIL_URL", "http://u:hunter2hunter2@mail.example", "a value of 36 characters"),
        ("FORECOURT_MAIL_URL", "smtp://u:hunter2hunter2@mail.example:0", "a value of 38 characters"),
        ("FORECOURT_MAIL_URL", "smtp://u:hunter2hunter2@mail.example:x", "a value of 38 characters"),
        ("FORECOURT_MAIL_FROM", "billing", "billing"),
        ("FORECOURT_WEBHOOK_NETWORKS", "10.0.0.1/8", "10.0.0.1/8"),
        ("FORECOURT_API_CALLS_PER_MINUTE", "1000001", "'1000001'"),
        ("FORECOURT_API_CALLS_PER_MINUTE", "-1", "'-1'"),
        ("FORECOURT_PUBLIC_URL", "https://u:hunter2hunter2@h.example/path", "'https://h.example/path'"),
        ("FORECOURT_PUBLIC_URL", "ftp://h.example", "'ftp://h.example'"),
        ("FORECOURT_ALLOWED_HOSTS", "https://h.example", "'https://h.example'"),
        ("FORECOURT_DEBUG", "maybe", "'maybe'"),
        ("FORECOURT_SECURE", "2", "'2'"),
        ("FORECOURT_OPERATOR_SLUG", "The Operator", "'The Operator'"),
        ("FORECOURT_DATA_DIR", "~no-such-user/data", "'~no-such-user/data'"),
    ],
)
def test_wrong_setting_is_named_shown_and_keeps_its_secret(name: str, value: str, found: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, **{name: value})
    assert error.name == name
    assert error.found == found
    assert str(error).startswith(f"{name}: found {found}; expected ")
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("name", "closest"),
    [
        ("FORECOURT_SECRT_KEY", "FORECOURT_SECRET_KEY"),
        ("FORECOURT_DATADIR", "FORECOURT_DATA_DIR"),
        ("STRIPE_KEY", "STRIPE_SECRET_KEY"),
        ("STRIPE_API_URL", "STRIPE_API_BASE"),
    ],
)
def test_unknown_setting_is_refused_with_the_closest_known_one(name: str, closest: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, **{name: "x"}).expected == f"perhaps {closest}"


def test_other_programs_settings_are_none_of_ours(tmp_path: Path) -> None:
    assert read(tmp_path, FORECOURT_AGENT_SERVER="x", PGHOST="y", HOME="z").database_embedded


def test_dotenv_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# a comment\n\n"
        "export FORECOURT_OPERATOR_SLUG='gpu-house'\n"
        'FORECOURT_PUBLIC_URL = "http://localhost:1" \n'
        "STRIPE_WEBHOOK_SECRET=whsec_a#b=c\n"
        "STRIPE_SECRET_KEY=\n"
        "SOMEBODY_ELSES=1\n"
    )
    environment = read(tmp_path, FORECOURT_PUBLIC_URL="http://localhost:2")
    assert environment.operator_slug == "gpu-house"
    assert environment.public_url == "http://localhost:2"
    assert environment.stripe_webhook_secret == "whsec_a#b=c"
    assert environment.stripe_secret_key == ""


def test_unknown_name_in_dotenv_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FORECOURT_PORT=1\n")
    assert refusal(tmp_path).name == "FORECOURT_PORT"


@pytest.mark.parametrize("content", [b"FORECOURT_DEBUG\n", b"two words=1\n"])
def test_line_of_dotenv_that_sets_nothing_is_refused_by_number(content: bytes, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=1\n" + content)
    assert refusal(tmp_path).name == ".env line 2"


def test_dotenv_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff")
    assert refusal(tmp_path).name == ".env"


def test_secrets_are_not_in_repr(tmp_path: Path) -> None:
    environment = read_environment(
        {
            **SERVER,
            "BROKER_URL": "amqp://u:hunter2hunter2@mq/",
            "STRIPE_SECRET_KEY": "sk_test_hunter2",
            "STRIPE_WEBHOOK_SECRET": "whsec_hunter2",
            "FORECOURT_MAIL_URL": "smtps://u:hunter2@mail.example",
        },
        tmp_path,
    )
    assert "hunter2" not in repr(environment)
    assert KEY not in repr(environment)


@given(
    name=st.sampled_from(NAMES),
    value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60),
)
def test_any_text_is_accepted_or_refused_by_name(
    name: str, value: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("env")
    environ = {"FORECOURT_SECRET_KEY": KEY, name: value}
    named = name
    try:
        read_environment(environ, folder)
    except WrongSetting as error:
        named = error.name
    assert named == name


def test_example_file_names_every_setting_and_is_valid(tmp_path: Path) -> None:
    example = (Path(__file__).parents[2] / ".env.example").read_text(encoding="utf-8")
    names = {line.partition("=")[0] for line in example.splitlines() if line and not line.startswith("#")}
    assert names == set(NAMES)
    (tmp_path / ".env").write_text(example)
    assert read_environment({}, tmp_path) == read_environment({}, tmp_path)


def test_the_web_signs_in_by_itself_where_it_can(tmp_path: Path) -> None:
    assert read(tmp_path).database_web_url.startswith("postgresql://forecourt_web@")
    assert read(tmp_path, **SERVER).database_web_url == SERVER["DATABASE_URL"]
    web = "postgresql://web:hunter3hunter3@db:5432/forecourt"
    environment = read(tmp_path, **SERVER, DATABASE_WEB_URL=web)
    assert environment.database_web_url == web
    assert "hunter3hunter3" not in repr(environment)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"DATABASE_WEB_URL": "postgresql://web@db/forecourt"}, "both, or neither"),
        ({**SERVER, "DATABASE_WEB_URL": "postgresql://web@db/another"}, "the same one, as another user"),
        ({**SERVER, "DATABASE_WEB_URL": "mysql://web@db/forecourt"}, "postgresql://user:password@host"),
    ],
)
def test_the_webs_own_way_in_must_lead_to_the_same_database(
    tmp_path: Path, environ: dict[str, str], expected: str
) -> None:
    refused = refusal(tmp_path, **environ)
    assert refused.name == "DATABASE_WEB_URL"
    assert expected in refused.expected
