"""Arrow tables as pandas frames: categories for columns of few values, types that know a missing value for the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dtbench.harness.core.errors import UserError
from dtbench.harness.core.installed import install_command

if TYPE_CHECKING:
    import pyarrow
    from pandas import DataFrame


def need_pandas() -> Any:
    """Return the module pandas; a UserError that says how to install it where it is not there."""
    try:
        import pandas
    except ImportError as error:
        raise UserError(f"frames need pandas ({error}): {install_command('analysis')} installs it.") from None
    return pandas


def to_frame(table: pyarrow.Table, categories: Iterable[str] = ()) -> DataFrame:
    """Return the table with pandas' own nullable types; `categories` names the columns of few values."""
    pandas = need_pandas()
    import pyarrow

    categories = [*categories]

    types = {
        pyarrow.string(): pandas.StringDtype("pyarrow"),
        pyarrow.int64(): pandas.Int64Dtype(),
        pyarrow.float64(): pandas.Float64Dtype(),
        pyarrow.bool_(): pandas.BooleanDtype(),
    }
    for name in categories:
        if (place := table.schema.get_field_index(name)) >= 0:
            table = table.set_column(place, name, table.column(place).dictionary_encode().unify_dictionaries())
    lists = {one.name: table.column(one.name).to_pylist() for one in table.schema if pyarrow.types.is_list(one.type)}
    frame = table.drop_columns([*lists]).to_pandas(types_mapper=types.get)
    for name in categories:
        if name in frame and frame[name].cat.categories.empty:  # of no type, which Parquet would keep as such
            frame[name] = frame[name].cat.set_categories(pandas.Index([], dtype="str"))
    for name, values in lists.items():  # pandas' own type for them does not come back from a Parquet file
        frame.insert(table.schema.get_field_index(name), name, pandas.Series(values, frame.index, dtype=object))
    return frame
