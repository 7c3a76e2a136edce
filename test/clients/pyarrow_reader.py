"""Prints a Parquet file as pyarrow reads it: its schema, then a line of JSON for each row."""
import json
import sys

import pyarrow as pa
import pyarrow.parquet as parquet


def plain(value, kind):
    """As JSON can say it without rounding: 64-bit integers, decimals, times and bytes as text."""
    if value is None:
        return None
    if pa.types.is_struct(kind):
        return {field.name: plain(value[field.name], field.type) for field in kind}
    if pa.types.is_map(kind):
        return [
            {"key": plain(key, kind.key_type), "value": plain(entry, kind.item_type)}
            for key, entry in value
        ]
    if pa.types.is_list(kind):
        return [plain(element, kind.value_type) for element in value]
    if pa.types.is_decimal(kind):
        return format(value, "f")
    if pa.types.is_int64(kind) or pa.types.is_date(kind):
        return str(value)
    if pa.types.is_timestamp(kind):
        text = str(value)
        return text.rstrip("0") if "." in text else text
    if pa.types.is_binary(kind):
        return value.hex()
    return value


def main(path):
    table = parquet.read_table(path)
    print(json.dumps({field.name: str(field.type) for field in table.schema}))
    columns = [
        [plain(value, field.type) for value in table.column(field.name).to_pylist()]
        for field in table.schema
    ]
    for row in zip(*columns):
        print(json.dumps(dict(zip(table.schema.names, row)), separators=(",", ":")))


main(sys.argv[1])
