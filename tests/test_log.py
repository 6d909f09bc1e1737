"""Lines of loggers, exceptions without their messages, and the warning of missing file descriptors."""

import errno
import gc
import io
import logging
import logging.config
import re
import sys
import time
import warnings
from typing import Any

import orjson
import pytest

from app.descriptors import AcceptFilter, DescriptorWatch
from app.error_format import MAX_FRAMES, format_error
from app.log import LogFormatter, LogHandler, log_config, log_unraisable, log_warning
from app.settings import LogFormat, LogLevel, SettingError, Settings


def raised(error: BaseException) -> BaseException:
    """Return the exception with a traceback."""
    try:
        raise error  # noqa: TRY301 - it is to get a traceback
    except BaseException as caught:  # noqa: BLE001 - it is the argument
        return caught


def recurse() -> None:
    recurse()


def line(
    error: BaseException | None = None, name: str = "app.x", message: object = "a", **extra: Any
) -> dict[str, Any]:
    """Return the line of a record as JSON."""
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    record = logging.LogRecord(name, logging.WARNING, "", 0, message, (), exc_info)
    record.__dict__ |= extra
    return dict(orjson.loads(LogFormatter(LogFormat.JSON).format(record)))


def test_an_exception_has_its_class_and_frames_but_no_message() -> None:
    text = format_error(raised(ValueError("secret")))
    first, frame = text.splitlines()
    assert first == "ValueError"
    assert frame.startswith(f"  {__file__}:")
    assert frame.endswith(" in raised")


def test_messages_that_name_code_only_are_kept() -> None:
    assert format_error(AttributeError("x has no y")) == "AttributeError: x has no y"


def test_a_subclass_keeps_no_message() -> None:
    class OwnError(AttributeError):
        pass

    assert "secret" not in format_error(OwnError("secret"))


def test_system_errors_have_their_code() -> None:
    assert format_error(OSError(errno.ENOSPC, "No space left", "/secret")) == "OSError (ENOSPC)"
    assert format_error(ConnectionError("secret")) == "ConnectionError"


def test_causes_contexts_and_groups_are_included() -> None:
    error = ExceptionGroup("secret", [KeyError("secret")])
    error.__cause__, error.exceptions[0].__context__ = TypeError("secret"), IndexError("secret")
    assert format_error(error).splitlines() == [
        "ExceptionGroup", "caused by", "TypeError", "in a group with", "KeyError", "while handling", "IndexError",
    ]  # fmt: skip
    error.__cause__ = error
    assert len(format_error(error).splitlines()) == 5


def test_a_recursion_has_its_innermost_frames() -> None:
    with pytest.raises(RecursionError) as caught:
        recurse()
    assert len(format_error(caught.value).splitlines()) == 1 + MAX_FRAMES


def test_other_loggers_print_the_constant_part_of_a_message() -> None:
    assert line(name="app", message="as it is (x)")["message"] == "as it is (x)"
    assert (
        line(name="asyncio", message="Exception in callback f('x')\n<Task x>")["message"] == "Exception in callback f"
    )
    assert line(name="uvicorn.error", message=ValueError("x"))["message"] == ""


def test_a_record_is_an_error_if_it_has_an_exception_and_otherwise_a_message() -> None:
    assert [line()["event"], line(raised(KeyError()))["event"], line(event="other")["event"]] == [
        "message",
        "error",
        "other",
    ]
    assert (line()["level"], line()["time"][-1]) == ("warning", "Z")


def test_the_text_of_an_exception_follows_its_line() -> None:
    record = logging.LogRecord("app", logging.ERROR, "", 0, "It failed.", (), (KeyError, KeyError("x"), None))
    first, second = LogFormatter(LogFormat.TEXT).format(record).splitlines()
    assert first.endswith('Z ERROR error logger=app message="It failed."')
    assert second == "KeyError"


def test_an_exception_that_cannot_be_raised_is_logged_without_its_message(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def __del__(self) -> None:
            raise ValueError("secret")

    monkeypatch.setattr("sys.unraisablehook", log_unraisable)
    Failing()
    gc.collect()
    [record] = caplog.records
    text = LogFormatter(LogFormat.JSON).format(record)
    assert ("ValueError" in text, "secret" in text) == (True, False)


def test_a_warning_is_logged_with_its_class_and_place(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warnings.showwarning", log_warning)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("secret", RuntimeWarning, stacklevel=1)
    [record] = caplog.records
    assert re.fullmatch(r"RuntimeWarning at .*test_log\.py:\d+\.", record.getMessage())


def test_a_line_that_cannot_be_written_is_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    handler = LogHandler(io.StringIO())
    handler.handle(logging.LogRecord("app", logging.ERROR, "", 0, "%d", ("secret",), None))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("level", LogLevel)
def test_levels_are_those_of_the_setting(level: LogLevel) -> None:
    config = log_config(LogFormat.JSON, level)
    assert config["loggers"]["app"]["level"] == level.upper()
    assert config["root"]["level"] == ("ERROR" if level is LogLevel.ERROR else "WARNING")
    logging.config.DictConfigurator(config).configure_filter(config["filters"]["accept"])


def test_settings_of_the_log_are_checked() -> None:
    settings = Settings.from_environment({"ATOLL_LOG": "json", "ATOLL_LOG_LEVEL": "error", "ATOLL_SLOW_MS": "5"})
    assert (settings.log, settings.log_level, settings.slow_ms) == (LogFormat.JSON, LogLevel.ERROR, 5)
    with pytest.raises(SettingError, match=r"Invalid ATOLL_LOG 'xml'\. Use text or json\."):
        Settings.from_environment({"ATOLL_LOG": "xml"})


def test_a_lack_of_descriptors_is_logged_once_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no limit of descriptors.")
    monkeypatch.setattr("os.sysconf", lambda _name: 100)
    now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now)
    watch = DescriptorWatch()
    watch.check(67)
    assert caplog.records == []
    for _ in range(3):
        watch.check(68)
    assert len(caplog.records) == 1
    now += 60
    watch.check(99)
    assert len(caplog.records) == 2


def test_the_report_of_each_failed_accept_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[None] = []
    monkeypatch.setattr("app.descriptors.WATCH.warn", lambda: warnings.append(None))
    for error, is_kept in ((OSError(errno.EMFILE, "x"), False), (OSError(errno.EPIPE, "x"), True), (None, True)):
        record = logging.LogRecord("asyncio", logging.ERROR, "", 0, "socket.accept()", (), None)
        record.exc_info = None if error is None else (OSError, error, None)
        assert AcceptFilter().filter(record) is is_kept
    assert warnings == [None]
