"""Compares Poseur's verdicts on Kusto queries with those of DuckDB, through duckdb-kql.

Reads what `poseur-kusto-cases` wrote: a line with the rows, then a line for each query with our
verdict on each row. Fails on a difference, and when too little could be compared.
"""

import collections
import json
import sys

import duckdb_kql

COLUMNS = {
    "s": "VARCHAR",
    "t": "VARCHAR",
    "b": "BOOLEAN",
    "n": "BIGINT",
    "r": "DOUBLE",
    "At": "TIMESTAMP",
    "Took": "INTERVAL",
    "d": "JSON",
    "e": "JSON",
}


def interval(text):
    """Microseconds of `[-][d.]hh:mm:ss[.fffffff]`."""
    sign, text = (-1, text[1:]) if text.startswith("-") else (1, text)
    hours, minutes, seconds = text.split(":")
    days, _, hours = hours.rpartition(".")
    whole, _, fraction = seconds.partition(".")
    total = ((int(days or 0) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(whole)
    return sign * (total * 1_000_000 + int((fraction + "000000")[:6]))


def table(rows):
    connection = duckdb_kql.connect()
    columns = ", ".join(f'"{name}" {kind}' for name, kind in COLUMNS.items())
    connection.sql(f"CREATE TABLE Things (Row INTEGER, {columns})")
    for number, row in enumerate(rows):
        values = [number]
        places = ["?"]
        for name, kind in COLUMNS.items():
            value = row.get(name)
            place = "?"
            if kind == "VARCHAR":
                value = value or ""  # Kusto has no null strings.
            elif value is None:
                pass
            elif kind == "JSON":
                value = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
            elif kind == "INTERVAL":
                value, place = interval(value), "INTERVAL (?) MICROSECONDS"
            elif kind == "TIMESTAMP":
                value = value.rstrip("Z")
            values.append(value)
            places.append(place)
        connection.execute(f"INSERT INTO Things VALUES ({', '.join(places)})", values)
    return connection


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        head = json.loads(next(file))
        cases = [json.loads(line) for line in file]
    connection = table(head["rows"])
    compared = matched = 0
    unsupported = collections.Counter()
    different = []
    for case in cases:
        query = case["query"] + "| project Row"
        try:
            found = duckdb_kql.query(connection, query, query_now=head["now"]).fetchall()
        except Exception as error:  # Each kind is counted and printed below.
            unsupported[f"{type(error).__name__}: {str(error).splitlines()[0][:100]}"] += 1
            continue
        found = {row for (row,) in found}
        ours = {number for number, verdict in enumerate(case["verdicts"]) if verdict}
        compared += 1
        matched += len(ours)
        if found != ours:
            different.append((case["query"], sorted(found - ours), sorted(ours - found)))
    for reason, count in unsupported.most_common(20):
        print(f"{count} queries not compared: {reason}")
    for query, theirs, ours in sorted(different, key=lambda case: len(case[0]))[:20]:
        row = head["rows"][(theirs + ours)[0]]
        print(f"DIFFERENT: only DuckDB {theirs}, only Poseur {ours}\n{query}on {json.dumps(row)}\n")
    rows = len(head["rows"])
    print(f"{compared} of {len(cases)} queries compared on {rows} rows, {matched} matches, {len(different)} differ")
    if different or compared < 0.8 * len(cases) or matched < compared:
        sys.exit(1)


main()
