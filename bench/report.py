"""What was measured, as a table and as JSON."""

import json
import statistics

# ending of a figure's name -> (its unit, how it is printed, whether more is better); the first that fits.
UNITS = [
    ("_gbit_s", "Gbit/s", "{:.2f}", True),
    ("_s_per_gb", "CPU s/GB", "{:.2f}", False),
    ("_per_s", "requests/s", "{:,.0f}", True),
    ("_us_per_request", "CPU us/request", "{:.1f}", False),
    ("_us", "us", "{:,.0f}", False),
    ("_percent", "%", "{:.0f}", False),
    ("_kib_per_visitor", "KiB/visitor", "{:.1f}", False),
    ("_mib", "MiB", "{:.1f}", False),
]


def unit(figure):
    return next(known for known in UNITS if f"_{figure}".endswith(known[0]))


def heading(figure):
    """`bulk_beside_gbit_s` -> `bulk beside, Gbit/s`"""
    ending, text, _, _ = unit(figure)
    rest = f"_{figure}".removesuffix(ending).strip("_").replace("_", " ")
    return f"{rest}, {text}" if rest not in ("", "throughput", "requests", "cpu") else text


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "values": values}


def as_json(plan, machine, values, notes):
    """The whole report as one object; plot reads it."""
    return {
        "machine": machine,
        "settings": {"rounds": plan.rounds, "seconds": plan.seconds, "visitors": plan.visitors},
        "contestants": {contestant.name: {"title": contestant.title, "encrypted": contestant.encrypted,
                                          "version": contestant.version()} for contestant in plan.contestants},
        "works": {work.name: work.title for work in plan.works},
        "units": {figure: {"unit": unit(figure)[1], "more_is_better": unit(figure)[3]}
                  for by_name in values.values() for figures in by_name.values() for figure in figures},
        "results": {work: {name: {figure: summary(list_of) for figure, list_of in figures.items()}
                           for name, figures in by_name.items()} for work, by_name in values.items()},
        "notes": notes,
    }


def cell(figure, found):
    """`6.91 (6.80..7.02)`; the spread is left out when there was one round only."""
    if found is None:
        return "-"
    form = unit(figure)[2]
    median, least, most = (form.format(found[part]) for part in ("median", "min", "max"))
    return median if len(found["values"]) == 1 else f"{median} ({least}..{most})"


def table(headings, rows):
    """The first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    lines = [f"  {row[0]:<{widths[0]}}" + "".join(f"  {text:>{width}}" for text, width in zip(row[1:], widths[1:]))
             for row in [headings, *rows]]
    return "\n".join(lines)


def as_text(report):
    """A block a work, a line a contestant, medians and (least..most)."""
    blocks = []
    for work, by_name in report["results"].items():
        title = f"{report['works'][work]}  [{work}]"
        if work.startswith("scale-"):
            blocks.append(f"{title}\n{_scale(by_name)}")
            continue
        figures = list(dict.fromkeys(figure for found in by_name.values() for figure in found))
        rows = [[name, *(cell(figure, by_name[name].get(figure)) for figure in figures)]
                for name in report["contestants"] if name in by_name]
        blocks.append(f"{title}\n{table(['', *map(heading, figures)], rows)}")
    if report["notes"]:
        blocks.append("\n".join(["notes", *(f"  {note}" for note in report["notes"])]))
    return "\n\n".join(blocks)


def _scale(by_name):
    """Figures like `64_down_cpu_s_per_gb` as a line for each `64_down`."""
    kinds = ("throughput_gbit_s", "cpu_s_per_gb", "server_cpu_s_per_gb")
    rows = []
    for found in by_name.values():
        for size in dict.fromkeys("_".join(figure.split("_")[:2]) for figure in found):
            rows.append([size.replace("_", " "), *(cell(kind, found.get(f"{size}_{kind}")) for kind in kinds)])
    return table(["", "Gbit/s", "CPU s/GB", "server's part"], rows)


def write_json(report, path):
    with open(path, "w") as out:
        json.dump(report, out, indent=1)
        out.write("\n")
