"""Log of the engine, whose errors fail tests: the response is right, but graphql-core made it."""

import logging


class EngineErrors(logging.Handler):
    """Errors that the engine has logged and no test has seen."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message with its traceback."""
        self._messages.append(self.format(record))

    def take(self) -> str:
        """Return the messages since the last call; "" if there are none."""
        messages, self._messages = self._messages, []
        return "\n".join(messages)


ENGINE_ERRORS = EngineErrors()
logging.getLogger("app.query_engine").addHandler(ENGINE_ERRORS)
