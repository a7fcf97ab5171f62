"""A setting that is missing or wrong is named, in a sentence."""

import pytest

from portal import env
from portal.env import BadSetting


def test_a_missing_setting_is_named(monkeypatch):
    monkeypatch.delenv("GLOBUS_CLIENT_ID", raising=False)
    with pytest.raises(BadSetting, match="GLOBUS_CLIENT_ID is not set"):
        env.env_str("GLOBUS_CLIENT_ID")


def test_a_secret_may_lie_in_a_file(monkeypatch, tmp_path):
    path = tmp_path / "secret"
    path.write_text("from the file\n")
    monkeypatch.delenv("A_SECRET", raising=False)
    monkeypatch.setenv("A_SECRET_FILE", str(path))
    assert env.env_secret("A_SECRET") == "from the file"


def test_a_secret_given_twice_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("A_SECRET", "one")
    monkeypatch.setenv("A_SECRET_FILE", str(tmp_path / "x"))
    with pytest.raises(BadSetting, match="Both A_SECRET and A_SECRET_FILE"):
        env.env_secret("A_SECRET")


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_a_missing_or_empty_secret_file_is_named(monkeypatch, tmp_path, content):
    path = tmp_path / "secret"
    if content is not None:
        path.write_text(content)
    monkeypatch.delenv("A_SECRET", raising=False)
    monkeypatch.setenv("A_SECRET_FILE", str(path))
    with pytest.raises(BadSetting, match="A_SECRET_FILE names a file"):
        env.env_secret("A_SECRET")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("portal.example.org", "must look like"),
        ("ftp://portal.example.org", "must look like"),
        ("https://", "must look like"),
        ("https://portal.example.org/path", "must not have a path"),
        ("https://portal.example.org/?a=b", "must not have a path"),
        ("http://portal.example.org", "must start with https"),
    ],
)
def test_the_public_address_must_make_sense(monkeypatch, url, reason):
    monkeypatch.setenv("PUBLIC_BASE_URL", url)
    with pytest.raises(BadSetting, match=reason):
        env.public_base_url()


@pytest.mark.parametrize("url", ["https://portal.example.org", "http://localhost:8000"])
def test_https_or_this_machine_is_fine(monkeypatch, url):
    monkeypatch.setenv("PUBLIC_BASE_URL", url)
    assert env.public_base_url().geturl() == url


def test_a_database_url_becomes_settings():
    found = env.database_from_url(
        "postgresql://me:p%40ss@db:5433/portal?sslmode=require"
    )
    assert found["USER"] == "me"
    assert found["PASSWORD"] == "p@ss"
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("db", "5433", "portal")
    assert found["OPTIONS"] == {"sslmode": "require"}


def test_a_socket_folder_may_be_the_host():
    found = env.database_from_url("postgresql://postgres@/portal?host=/run/pg")
    assert (found["HOST"], found["OPTIONS"]) == ("/run/pg", {})


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://x/y", "must start with postgresql"),
        ("postgresql://host", "names no database"),
        ("postgresql://h:port/x", "cannot be read"),
    ],
)
def test_a_wrong_database_url_is_refused(url, reason):
    with pytest.raises(BadSetting, match=reason):
        env.database_from_url(url)


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock"),
    ],
)
def test_celery_gets_the_address_of_redis(url, broker):
    assert env.broker_from_url(url) == broker


def test_a_wrong_redis_url_is_refused():
    with pytest.raises(BadSetting, match="REDIS_URL must start with"):
        env.broker_from_url("http://localhost")


@pytest.mark.parametrize(
    ("word", "meaning"), [("yes", True), ("0", False), ("", False)]
)
def test_words_for_true_and_false(monkeypatch, word, meaning):
    monkeypatch.setenv("A_FLAG", word)
    assert env.env_bool("A_FLAG") is meaning


def test_other_words_are_refused(monkeypatch):
    monkeypatch.setenv("A_FLAG", "perhaps")
    with pytest.raises(BadSetting, match="A_FLAG must be true or false"):
        env.env_bool("A_FLAG")


def test_a_word_that_is_not_known_is_refused_with_those_that_are(monkeypatch):
    monkeypatch.setenv("PORTAL_LOG_LEVEL", "chatty")
    with pytest.raises(BadSetting, match="PORTAL_LOG_LEVEL must be one of DEBUG, INFO"):
        env.env_word("PORTAL_LOG_LEVEL", "INFO", ("DEBUG", "INFO"))
    monkeypatch.setenv("PORTAL_LOG_LEVEL", "debug")
    assert env.env_word("PORTAL_LOG_LEVEL", "INFO", ("DEBUG", "INFO")) == "DEBUG"
