"""SELECTs compiled once, to be run by a driver without SQLAlchemy."""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Dialect
from sqlalchemy.sql.selectable import SelectBase

Convert = Callable[[Any], Any]


class CompiledSelect:
    """SELECT as the text of one database's SQL, its parameters, and the conversion of its rows."""

    __slots__ = ("_converters", "_defaults", "_make_row", "_parameters", "_required", "text")

    def __init__(self, statement: SelectBase, dialect: Dialect) -> None:
        """Compile the statement. Parameters without a value are given later, to `values`.

        Raises ValueError for such a parameter that takes a list of values: the text depends on their number.
        """
        compiled = statement.compile(dialect=dialect)
        required = [bind.key for bind in compiled.binds.values() if bind.required]
        if any(compiled.binds[name].expanding for name in required):
            raise ValueError("A list of values cannot be given after the statement is compiled.")
        state = compiled.construct_expanded_state(dict.fromkeys(required))
        self.text: str = state.statement
        names: Sequence[str] = state.positiontup or ()
        # The state has only the processors of parameters that it expanded.
        binds: Mapping[str, Any] = {**compiled._bind_processors, **state.processors}  # noqa: SLF001 - no public name
        self._defaults = tuple(
            None if name in required else _converted(state.parameters[name], binds.get(name)) for name in names
        )
        self._parameters = [(index, name, binds.get(name)) for index, name in enumerate(names)]
        self._required = frozenset(required)
        columns = statement.selected_columns
        # A name that is no identifier, as of an unnamed expression, is replaced: nobody reads such a column by name.
        keys = [str(column.key) for column in columns]
        row: Any = namedtuple("Row", keys, rename=True)  # type: ignore[misc]  # noqa: PYI024 - its fields are known at run time only
        self._make_row: Callable[[Iterable[Any]], Any] = partial(tuple.__new__, row)  # `_make` takes twice as long
        processors = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
        self._converters = [(index, convert) for index, convert in enumerate(processors) if convert is not None]

    def values(self, parameters: Mapping[str, Any]) -> Sequence[Any]:
        """Return the values of the statement's positions; the parameters replace those that the statement has.

        Raises KeyError for a parameter that the statement has no value of.
        """
        if missing := self._required - parameters.keys():
            raise KeyError(*missing)
        values = list(self._defaults)
        for index, name, convert in self._parameters:
            if name in parameters:
                values[index] = _converted(parameters[name], convert)
        return values

    def rows(self, fetched: Iterable[Sequence[Any]]) -> list[Any]:
        """Return the driver's rows as named tuples, with converted values."""
        if not self._converters:
            return list(map(self._make_row, fetched))
        converted = []
        for row in fetched:
            values = list(row)
            for index, convert in self._converters:
                values[index] = convert(values[index])
            converted.append(self._make_row(values))
        return converted


class SelectCompiler:
    """Compiler for one database, with a cache of statements that still exist."""

    def __init__(self, dialect: Dialect) -> None:
        """Take the database's dialect."""
        self._dialect = dialect
        self._compiled: WeakKeyDictionary[SelectBase, CompiledSelect] = WeakKeyDictionary()

    def compile(self, statement: SelectBase) -> CompiledSelect:
        """Return the compiled statement."""
        compiled = self._compiled.get(statement)
        if compiled is None:
            compiled = self._compiled[statement] = CompiledSelect(statement, self._dialect)
        return compiled


def _converted(value: Any, convert: Convert | None) -> Any:
    return value if convert is None else convert(value)
