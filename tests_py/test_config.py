"""Settings from files and the environment."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

import mithril
from mithril import CoreConfig

FILES = {
    "a.toml": 'storage = "s3://corpus/cleaned"\ntemp_dir = "/var/tmp"\nlog_level = "INFO"\n',
    "a.json": '{"storage": {"type": "s3", "bucket": "corpus", "prefix": "cleaned"},'
    ' "temp_dir": "/var/tmp", "log_level": "info"}',
    "a.yaml": "storage: s3://corpus/cleaned\ntemp_dir: /var/tmp\nlog_level: info\n",
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_all_formats_say_the_same(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(FILES[name])
    config = CoreConfig.from_file(path)
    assert config == CoreConfig("s3://corpus/cleaned", "/var/tmp", "info")  # noqa: S108 - a setting
    assert config.storage == "s3://corpus/cleaned"
    assert config.temp_dir == Path("/var/tmp")  # noqa: S108 - a setting
    assert config.log_level == "info"
    assert config.open_store(region="eu-central-1").url == "s3://corpus/cleaned"
    assert pickle.loads(pickle.dumps(config)) == config
    assert len({config, CoreConfig.from_file(str(path))}) == 1


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.toml", '\nlog_levle = "info"', r"a\.toml:2.*log_levle"),
        ("a.toml", 'log_level = "loud"', r"a\.toml:1.*log_level: .*loud"),
        ("a.json", '{\n"storage": {"type": "s3"}}', r"a\.json:2.*storage.*bucket"),
        ("a.yaml", "log_level: [", r"a\.yaml:\d"),
        ("a.ini", "", r"a\.ini: the name must end in"),
        ("a.json", " " * (1 << 20) + "{}", "longer than 1 MiB"),
        ("a.toml", "\udcff", "not UTF-8"),
    ],
)
def test_errors_name_file_line_and_key(name: str, text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(mithril.InvalidArgumentException, match=said) as refused:
        CoreConfig.from_file(path)
    assert refused.value.kind == "config"


def test_a_file_that_is_not_there_is_a_file_not_found_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.toml"):
        CoreConfig.from_file(tmp_path / "none.toml")


def test_the_environment_is_read_as_it_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STORAGE", "TEMP_DIR", "LOG_LEVEL", "NUM_THREADS"):
        monkeypatch.delenv(f"MITHRIL_{name}", raising=False)
    assert CoreConfig.from_env() == CoreConfig()
    monkeypatch.setenv("MITHRIL_STORAGE", "memory://")
    monkeypatch.setenv("MITHRIL_LOG_LEVEL", "Trace")
    monkeypatch.setenv("MITHRIL_TEMP_DIR", "/not-\udcff")
    config = CoreConfig.from_env()
    assert (config.storage, config.log_level) == ("memory://", "trace")
    assert config.temp_dir == Path("/not-\udcff")
    assert isinstance(config.open_store(), mithril.MemoryStorage)
    monkeypatch.setenv("MITHRIL_LOG_LEVEL", "loud")
    with pytest.raises(ValueError, match="MITHRIL_LOG_LEVEL"):
        CoreConfig.from_env()
    monkeypatch.setenv("MITHRIL_LOG_LEVEL", "")
    monkeypatch.setenv("MITHRIL_STORE", "memory://")
    with pytest.raises(ValueError, match="MITHRIL_STORE: unknown variable"):
        CoreConfig.from_env()


def test_what_goes_before_is_taken_where_it_is_given(tmp_path: Path) -> None:
    file = CoreConfig("s3://corpus/cleaned", tmp_path, "info")
    assert file.merge(CoreConfig()) == file
    assert CoreConfig().merge(file) == file
    merged = file.merge(CoreConfig(storage="s3://other"))
    assert merged == CoreConfig("s3://other", tmp_path, "info")
    assert file.storage == "s3://corpus/cleaned"
    assert file != 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"storage": "ftp://host"}, "storage: .*ftp"),
        ({"storage": ""}, "storage"),
        ({"temp_dir": ""}, "temp_dir"),
        ({"log_level": "loud"}, "log_level: .*loud.*trace"),
    ],
)
def test_wrong_settings_are_named(wrong: Any, said: str) -> None:
    with pytest.raises(mithril.InvalidArgumentException, match=said):
        CoreConfig(**wrong)


def test_a_store_is_opened_only_if_one_is_set(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="MITHRIL_STORAGE"):
        CoreConfig().open_store()
    folder = tmp_path / "50% of?#it"
    store = CoreConfig(storage=str(folder)).open_store(durable=True)
    assert store == mithril.LocalStorage(folder, durable=True)
    with pytest.raises(TypeError, match="no option colour"):
        CoreConfig(storage="memory://").open_store(colour=1)
