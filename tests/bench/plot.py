#!/usr/bin/env python3
"""Draws what `grosr bench --json` printed, as papers print it.

    plot.py -o FILE.svg [-o FILE.png]... [REPORT.json]...

Without a report it reads one from standard input. What is drawn follows from the rows: a sweep is lines over its axis, a
latency with its distribution is an ECDF, everything else is bars. GROSR's series are coloured, baselines are grey or
dashed. Whiskers and bands go from the 5th to the 95th percentile where there are samples enough, else from the lowest to
the highest. `grosr bench --plot` runs this same text.

Exit: 0; 1 and a line on stderr; 3 when matplotlib is missing.
"""
import argparse
import io
import json
import math
import sys
import textwrap

NO_MATPLOTLIB = 3

try:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from PIL import Image  # matplotlib needs it too
    from matplotlib.patches import Patch
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
except ImportError:
    print("plot.py: matplotlib is not installed (Debian: python3-matplotlib)", file=sys.stderr)
    sys.exit(NO_MATPLOTLIB)

# Okabe and Ito's colours, which stay apart for the colour-blind, and a violet.
OWN = ["#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#6A3D9A", "#8C8C00"]
OTHERS = ["#D55E00", "#E69F00", "#000000", "#888888", "#A0522D"]
DASHES = [(0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 3))]
MARKERS = "osD^vPX"
BAR_OWN, BAR_OTHER = "#0072B2", "#B0B5BA"
WIDTH = 8.0  # inches
PNG_DPI, PNG_COLORS = 120, 64
ECDF_SAMPLES = 20  # fewer make no distribution
MIN_RANGE = 6  # of a sweep's logarithmic axis

AXIS_LABEL = {"tasks": "tasks", "sms": "SMs", "workers": "workers (threads)", "producers": "producer threads",
              "threads": "threads", "bytes": "bytes of a block", "rounds": "rounds",
              "ports": "ports of system calls", "proxies": "proxy threads"}
KEY = {"tasks/s": "ns", "ns": "ns", "W": "w", "ratio": "ratio", "CPU s/s": "cpu_share",
       "events/s": "events_per_s", "rows/s": "rows_per_s", "B/event": "bytes_per_event", "ns/event": "ns_per_event",
       "share": "share", "B/B": "bytes_per_byte", "B/s": "bytes_per_s"}

# Of a series' name, what the axis says already.
SURPLUS = {"tracing": [(", beside `off`", "")], "trace": [("; mean", ""), (" / 8-byte", "")]}

# What an experiment's values in a unit are, where it is not what they are by default.
WORDS = {("tracing", "ratio"): ("time of tasks", "time at the level / time at off"),
         ("trace", "ratio"): ("cost of an event, geometric mean over the grid", "cost / cost of the 8-byte recorder"),
         ("alloc", "tasks/s"): ("time per call", "time per call"),
         ("alloc", "share"): ("memory", "% of the memory"),
         ("alloc", "B/B"): ("address range / bytes asked for", "bytes / byte")}

# Series over one axis that are drawn in panels of their own, by what their names have in common.
TOPICS = {"alloc": ["one thread"]}

plt.rcParams.update({
    "font.size": 9, "axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True,
    "grid.color": "#DDDDDD", "grid.linewidth": 0.6, "legend.fontsize": 8, "legend.frameon": False,
    "svg.hashsalt": "grosr",
})


# ---- words ----

def engineering(x, unit, scales):
    for scale, prefix in scales:
        if abs(x) >= 0.9995 * scale:
            return f"{x / scale:.3g} {prefix}{unit}"
    scale, prefix = scales[-1]
    return f"{x / scale:.3g} {prefix}{unit}"


def duration(ns):
    return "0" if ns == 0 else engineering(ns, "s", [(1e9, ""), (1e6, "m"), (1e3, "µ"), (1, "n"), (1e-3, "p")])


def count(n):
    return engineering(n, "", [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1, "")]).strip()


def dashed(value, text):
    return "-" if value is None else text.format(value)


def caption(report):
    m, o = report["machine"], report["options"]
    parts = [report["device_name"] + (f" ({report['device_detail']})" if report["device_detail"] else "")]
    if report["device"] == "cuda":
        parts.append(f"driver {dashed(m['driver_version'], '{}')}, PCIe generation {dashed(m['pcie_generation'], '{}')}"
                     f" x{dashed(m['pcie_width'], '{}')}")
        parts.append(f"SM clock {dashed(m['sm_mhz_before'], '{:.0f}')} MHz before, "
                     f"{dashed(m['sm_mhz_after'], '{:.0f}')} after")
    parts.append(f"{m['cpu'] or '-'}, {m['cpus'] or '-'} CPUs")
    parts.append(report["date"])
    parts.append(f"grosr {report['grosr_version']}")
    parts += [f"{key} {o[key]:,}" for key in ("tasks", "repetitions", "workers") if o[key]]
    return "; ".join(parts)


# ---- a row's numbers ----

class Row:
    """A series, its values for each task where it counts tasks."""

    def __init__(self, raw):
        key = KEY[raw["unit"]]
        scale = raw["tasks"] or 1

        def of(value):
            return None if value is None else value / scale

        self.name, self.baseline, self.unit, self.note = raw["name"], raw["baseline"], raw["unit"], raw["note"]
        self.axis, self.x, self.tasks, self.samples = raw["axis"], raw["x"], raw["tasks"], raw["samples"]
        self.median = of(raw["median_" + key])
        self.lowest, self.highest = of(raw["lowest_" + key]), of(raw["highest_" + key])
        self.percentiles = {float(p[1:]): of(v) for p, v in raw["percentiles_" + key].items()}

    def spread(self):
        low, high = self.percentiles[5.0], self.percentiles[95.0]
        return (self.lowest, self.highest) if low is None or high is None else (low, high)


def styles(names):
    """Colour, dashes and marker of each of the (name, baseline) pairs, in the order they came."""
    style, own, others = {}, 0, 0
    for name, baseline in names:
        if (name, baseline) in style:
            continue
        marker = MARKERS[len(style) % len(MARKERS)]
        if baseline:
            style[name, baseline] = {"color": OTHERS[others % len(OTHERS)], "linestyle": DASHES[others % len(DASHES)],
                                     "linewidth": 1.4, "marker": marker}
            others += 1
        else:
            style[name, baseline] = {"color": OWN[own % len(OWN)], "linestyle": "-", "linewidth": 2.0, "marker": marker}
            own += 1
    return style


def wrap(text, width):
    return "\n".join(textwrap.wrap(text, width)) or text


# ---- panels: each knows its height in inches, and draws itself into a part of the figure ----

class Bars:
    # unit: (title, axis label, logarithmic, text of a value)
    KINDS = {
        "tasks/s": ("time per task", "time per task", True,
                    lambda r: f"{duration(r.median)}   {count(1e9 / r.median)}/s"),
        "ns": ("time per step", "time per step", True, lambda r: duration(r.median)),
        "W": ("power", "power, W", False, lambda r: f"{r.median:.1f} W"),
        "ratio": ("other kernels beside an idle runtime", "time beside the runtime / time alone", False,
                  lambda r: f"{r.median:.3f}"),
        "CPU s/s": ("CPU time of the process", "% of one CPU", False, lambda r: f"{100 * r.median:.2g} %"),
        "events/s": ("trace events", "events a second of CPU time", False, lambda r: f"{count(r.median)}/s"),
        "rows/s": ("rows of the trace file", "rows a second of CPU time", False, lambda r: f"{count(r.median)}/s"),
        "B/event": ("size", "bytes a trace event", False, lambda r: f"{r.median:.3g} B"),
        "ns/event": ("cost of an event, geometric mean over the grid", "ns an event", False, lambda r: f"{r.median:.1f} ns"),
        "share": ("events lost", "% of the events", False, lambda r: f"{100 * r.median:.3g} %"),
        "B/B": ("memory", "bytes / byte", False, lambda r: f"{r.median:.3g}"),
        "B/s": ("bandwidth", "MB/s", False, lambda r: f"{r.median * 1e-6:.3g} MB/s"),
    }

    def __init__(self, report, unit, rows):
        self.report, self.unit = report, unit
        self.title, self.label, self.log, self.text = self.KINDS[unit]
        self.title, self.label = WORDS.get((report["bench"], unit), (self.title, self.label))
        known = [r for r in rows if r.median is not None]
        if self.log:
            known.sort(key=lambda r: -r.median)
        self.rows = known + [r for r in rows if r.median is None]
        self.factor = {"CPU s/s": 100, "share": 100, "B/s": 1e-6}.get(unit, 1)
        self.height = 1.15 + 0.42 * len(self.rows)

    def name(self, row):
        few = row.tasks and self.report["options"]["tasks"] and row.unit == "tasks/s" and \
            row.tasks != self.report["options"]["tasks"] and self.title == "time per task"
        name = row.name
        for surplus in SURPLUS.get(self.report["bench"], []):
            name = name.replace(*surplus)
        return wrap(name + (f" ({row.tasks:,}\u00a0tasks)" if few else ""), 40)

    def limit(self, known):
        """Where whiskers of a linear axis end at the latest: one long one must not squeeze all bars."""
        return 1.5 * max([r.median * self.factor for r in known] or [1])

    def draw(self, part):
        ax = part.subplots()
        known = [r for r in self.rows if r.median is not None]
        top = max([r.spread()[1] * self.factor for r in known] or [1])
        longest = top
        if not self.log:
            top = min(top, self.limit(known))
        low_end = min([r.spread()[0] * self.factor for r in known] or [0.1])
        if self.log:
            left = 10 ** math.floor(math.log10(low_end) - 0.3)
            ax.set_xscale("log")
            ax.set_xlim(left, left * (top / left) ** (1 / 0.70))
            ax.xaxis.set_major_locator(LogLocator(numticks=9))
            ax.xaxis.set_minor_formatter(NullFormatter())
            ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: duration(x)))
        else:
            left = 0
            ax.set_xlim(0, (top or 1) / (0.82 if top == longest else 0.74))
            ax.xaxis.set_major_locator(MaxNLocator(7) if known else NullLocator())
            if self.unit in ("events/s", "rows/s"):
                ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: count(x)))
        for y, row in enumerate(self.rows):
            if row.median is None:
                ax.text(0.01, y, "not measured: " + wrap(row.note or "", 60), va="center", fontsize=7.5, style="italic",
                        color="#555555", transform=ax.get_yaxis_transform())
                continue
            low, high = (v * self.factor for v in row.spread())
            median, end = row.median * self.factor, min(high, top)
            ax.barh(y, median - left, left=left, height=0.62, color=BAR_OTHER if row.baseline else BAR_OWN)
            ax.errorbar(median, y, xerr=[[max(median - low, 0)], [max(end - median, 0)]], color="#222222",
                        capsize=3 if end == high else 0, linewidth=1, fmt="none")
            beyond = "" if end == high else f"   (to {high:.3g})"
            if beyond:
                ax.plot(end, y, marker=">", color="#222222", markersize=5)
            ax.annotate(self.text(row) + beyond, (max(end, median), y), xytext=(6, 0), textcoords="offset points", va="center",
                        fontsize=8.5, fontweight="normal" if row.baseline else "bold")
        if self.unit == "ratio":
            ax.axvline(1, color="#222222", linewidth=0.8, linestyle=(0, (4, 3)))
        ax.set_yticks(range(len(self.rows)))
        ax.set_yticklabels([self.name(r) for r in self.rows])
        for text, row in zip(ax.get_yticklabels(), self.rows):
            text.set_fontweight("normal" if row.baseline else "bold")
        ax.set_ylim(len(self.rows) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.grid(False, axis="y")
        ax.set_xlabel(self.label + ("" if self.unit not in ("tasks/s", "ns") else " (log scale, lower is better)"))
        title = self.title
        if self.title == "time per task":
            title += f", {self.report['options']['tasks']:,} tasks"
        ax.set_title(heading(self.report, title))


class Distribution:
    def __init__(self, report, rows):
        self.report, self.rows = report, rows
        self.height = 3.4 + 0.19 * len(rows)

    def draw(self, part):
        ax = part.subplots()
        style = styles([(r.name, r.baseline) for r in self.rows])
        ends = []
        for row in self.rows:
            points = [(row.lowest, 1 / row.samples)]
            points += [(v, p / 100) for p, v in sorted(row.percentiles.items()) if v is not None]
            points.append((row.highest, 1))
            look = {k: v for k, v in style[row.name, row.baseline].items() if k != "marker"}
            known = {p: v for p, v in row.percentiles.items() if v is not None}
            p99 = f"p99 {duration(known[99.0])}, " if 99.0 in known else ""
            ax.plot([x for x, _ in points], [y for _, y in points], **look,
                    label=f"{row.name}: p50 {duration(row.median)}, {p99}max {duration(row.highest)}")
            ends.append(max(known.values()))
        ax.set_xscale("log")
        # The highest of thousands may be a thousand times the median: the legend tells it, the axis is for the rest.
        ax.set_xlim(min(r.lowest for r in self.rows) / 1.3, 1.5 * max(ends))
        ax.set_ylim(0, 1.02)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:.0f} %"))
        time_axis(ax.xaxis, ax.get_xlim())
        ax.set_xlabel("time of a step (log scale)")
        ax.set_ylabel("steps that took no longer")
        ax.set_title(heading(self.report, "distribution of a step's time"))
        ax.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.16), handlelength=3.2, borderaxespad=0, labelspacing=0.35)


class Sweep:
    def __init__(self, report, axis, rows):
        self.report, self.axis, self.rows = report, axis, rows
        self.is_time = rows[0].unit in ("tasks/s", "ns")
        self.factor = 100 if rows[0].unit == "share" else 1
        self.what, self.label = WORDS.get((report["bench"], rows[0].unit), Bars.KINDS[rows[0].unit][:2])
        self.names = list(dict.fromkeys((r.name, r.baseline) for r in rows))
        self.height = 3.1 + 0.19 * len(self.names)

    def draw(self, part):
        ax = part.subplots()
        style = styles(self.names)
        steepest = None
        for name in self.names:
            rows = sorted((r for r in self.rows if (r.name, r.baseline) == name and r.median is not None),
                          key=lambda r: r.x)
            if not rows:
                continue
            xs, look = [r.x for r in rows], style[name]
            spreads = [[v * self.factor for v in r.spread()] for r in rows]
            ax.fill_between(xs, [s[0] for s in spreads], [s[1] for s in spreads], color=look["color"], alpha=0.15,
                            linewidth=0)
            ax.plot(xs, [r.median * self.factor for r in rows], label=name[0], markersize=4.5, **look)
            if not name[1] and (steepest is None or rows[0].median > steepest[0].median):
                steepest = rows
        xs = sorted({r.x for r in self.rows})
        ax.set_xscale("log")
        if self.is_time:
            ax.set_yscale("log")
        else:
            ax.set_ylim(bottom=0)
        if self.axis in ("sms", "workers") and steepest and len(xs) > 1:
            low, high = ax.get_ylim()
            ax.plot(xs, [steepest[0].median * xs[0] / x for x in xs], color="#999999", linewidth=0.9, linestyle=":",
                    label="in proportion to the first point", zorder=1)
            ax.set_ylim(low, high)
        low, high = ax.get_ylim()
        if self.is_time and high / low < MIN_RANGE:  # lest noise look like a cliff
            grow = math.sqrt(MIN_RANGE * low / high)
            ax.set_ylim(low / grow, high * grow)
        if self.axis == "tasks":
            ax.xaxis.set_major_locator(LogLocator(numticks=12))
        else:
            # The last point and those far enough from the next.
            span = math.log(xs[-1] / xs[0]) or 1
            ax.set_xticks([a for a, b in zip(xs, xs[1:]) if math.log(b / a) > 0.05 * span] + xs[-1:])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}" if self.axis == "bytes" else count(x)))
        if self.is_time:
            time_axis(ax.yaxis, ax.get_ylim())
        tasks = sorted({r.tasks for r in self.rows})
        each = ""
        if self.axis != "tasks" and self.what == "time per task":
            each = ", " + " and ".join(f"{t:,}" for t in tasks) + " tasks"
        ax.set_xlabel(AXIS_LABEL[self.axis] + " (log scale)")
        ax.set_ylabel(self.label + (" (log scale)" if self.is_time else ""))
        ax.set_title(heading(self.report, f"{self.what} over {AXIS_LABEL[self.axis]}{each}"))
        ax.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.19), handlelength=3.2, borderaxespad=0, labelspacing=0.35)


class Costs:
    """What an event costs by each recorder, over warps on an SM: a small plot for each length of the steps and memory."""

    def __init__(self, report, rows):
        self.report = report
        self.where = list(dict.fromkeys(r.name.split("; ")[1] for r in rows))
        self.rows = rows
        self.names = list(dict.fromkeys((r.name.split("; ")[0], r.baseline) for r in rows if r.unit == "ns/event"))
        self.columns = min(2, len(self.where))
        self.lines = -(-len(self.where) // self.columns)
        self.legend_height = 0.25 + 0.19 * -(-len(self.names) // 2)
        self.height = 0.3 + 2.6 * self.lines + self.legend_height

    def draw(self, part):
        style = styles(self.names)
        grid = part.add_gridspec(self.lines + 1, self.columns, height_ratios=[2.6] * self.lines + [self.legend_height])
        for i, where in enumerate(self.where):
            self.draw_one(part.add_subplot(grid[i // self.columns, i % self.columns]), style, where, i % self.columns == 0)
        legend = part.add_subplot(grid[self.lines, :])
        legend.axis("off")
        legend.legend(handles=[Patch(color=style[name]["color"], label=name[0]) for name in self.names], loc="center", ncol=2,
                      handlelength=1.6, borderaxespad=0, labelspacing=0.35)
        part.suptitle(heading(self.report, "cost of an event"), fontsize=10, fontweight="bold", x=0.01, ha="left")

    def draw_one(self, ax, style, where, leftmost):
        here = [r for r in self.rows if r.name.endswith("; " + where)]
        rows = [r for r in here if r.unit == "ns/event"]
        alone = {r.x: r.median for r in here if r.unit == "ns"}
        lost = {r.x: r.median for r in here if r.unit == "share"}
        xs = sorted({r.x for r in rows})
        width = 0.84 / len(self.names)
        for i, name in enumerate(self.names):
            for r in [r for r in rows if (r.name.split("; ")[0], r.baseline) == name]:
                at = xs.index(r.x) + (i - (len(self.names) - 1) / 2) * width
                low, high = r.spread()
                ax.bar(at, r.median, width * 0.9, color=style[name]["color"],
                       yerr=[[max(r.median - low, 0)], [max(high - r.median, 0)]],
                       error_kw={"linewidth": 0.8, "ecolor": "#222222"})
                text = f"{r.median:,.0f}" if abs(r.median) >= 100 else f"{r.median:.1f}"
                share = lost.get(r.x, 0) if "read meanwhile" in r.name else 0
                ax.annotate(text + (f", {100 * share:.0f} % lost" if share >= 0.005 else ""), (at, max(high, 0)),
                            xytext=(0, 3), textcoords="offset points", ha="center", va="bottom", fontsize=6.5, rotation=90)
        ax.set_yscale("symlog", linthresh=100, linscale=1.5)
        top = max(r.spread()[1] for r in rows)
        ax.set_ylim(min(0, 1.2 * min(r.median for r in rows)), max(8 * top, 100))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.set_xticks(range(len(xs)))
        ax.set_xticklabels([f"{x:.0f}\n{duration(alone[x])}" if x in alone else f"{x:.0f}" for x in xs])
        ax.grid(False, axis="x")
        ax.set_xlabel(("warps on each SM" if self.report["device"] == "cuda" else "threads") + "; a step's time without events")
        ax.set_ylabel("ns an event (log above 100)" if leftmost else "")
        ax.set_title(where, fontweight="normal")


def heading(report, text):
    return f"{report['bench']}: {text}" + (f"\n{report['device_name']}" if report["among_others"] else "")


def time_axis(axis, limits):
    """Durations at the decades; where these are few, at 2 and 5 between them too."""
    decades = math.log10(limits[1] / limits[0])
    axis.set_major_locator(LogLocator(subs=(1.0,) if decades > 2.5 else (1.0, 2.0, 5.0) if decades > 0.7 else range(1, 10),
                                      numticks=15))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda x, _: duration(x)))


def topic(report, row):
    """What a series is drawn together with: the first of the experiment's topics that its name has."""
    name = row.name.split(": ")[-1]
    return next((t for t in TOPICS.get(report["bench"], []) if t in name), "")


def panels(report):
    rows = [Row(raw) for raw in report["series"]]
    places = [r for r in rows if r.axis == "warps"]
    # A kernel's time alone is what ratios are made from, and no step of tasks.
    rows = [r for r in rows if r.tasks or r.unit != "ns"]
    found = []
    if places:
        found.append(Costs(report, places))
    for axis in AXIS_LABEL:
        swept = [r for r in rows if r.axis == axis]
        groups = list(dict.fromkeys((r.unit, topic(report, r)) for r in swept))
        found += [Sweep(report, axis, [r for r in swept if (r.unit, topic(report, r)) == g]) for g in groups]
    plain = [r for r in rows if not r.axis]
    for unit in KEY:
        group = [r for r in plain if r.unit == unit]
        if not group:
            continue
        if unit == "ns" and all(r.samples >= ECDF_SAMPLES for r in group):
            found.append(Distribution(report, group))
        else:
            found.append(Bars(report, unit, group))
    return found


# ---- the figure ----

def draw(reports):
    for report in reports:
        report["among_others"] = len({r["device_name"] for r in reports}) > 1
    parts = [p for report in reports for p in panels(report)]
    if not parts:
        sys.exit("plot.py: the report has no series")
    foot = "\n".join(textwrap.fill(c, 148) for c in dict.fromkeys(caption(r) for r in reports))
    foot_height = 0.14 * (foot.count("\n") + 1) + 0.16
    height = sum(p.height for p in parts) + foot_height
    figure = plt.figure(figsize=(WIDTH, height), constrained_layout=True)
    figure.set_constrained_layout_pads(w_pad=0.08, h_pad=0.09)
    into = figure.subfigures(len(parts) + 1, 1, squeeze=False,
                             height_ratios=[p.height for p in parts] + [foot_height])[:, 0]
    for panel, part in zip(parts, into):
        panel.draw(part)
    into[-1].text(0.012, 0.5, foot, fontsize=7, color="#444444", va="center", linespacing=1.25)
    return figure


def save(figure, name):
    """A PNG is kept small: as wide as a page shows it, with a palette instead of 32 bits a pixel."""
    if name.endswith(".svg"):
        figure.savefig(name, format="svg")
        return
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=PNG_DPI, format="png")
    image = Image.open(drawn).convert("RGB")
    image.quantize(PNG_COLORS, Image.MAXCOVERAGE, dither=0).save(name, format="png", optimize=True)


def read(path):
    try:
        if path is None:
            return json.load(sys.stdin)
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        sys.exit(f"plot.py: {path or 'standard input'}: {error}")


def main():
    parser = argparse.ArgumentParser(prog="plot.py", description="Draws reports of `grosr bench --json`.")
    parser.add_argument("-o", metavar="FILE", action="append", required=True, help="where to: .svg or .png; may be repeated")
    parser.add_argument("report", nargs="*", help="JSON files; standard input without")
    arguments = parser.parse_args()
    for name in arguments.o:
        if not name.endswith((".svg", ".png")):
            parser.error(f"'{name}' ends in neither .svg nor .png")
    reports = [read(path) for path in arguments.report or [None]]
    try:
        figure = draw(reports)
        for name in arguments.o:
            save(figure, name)
    except KeyError as error:
        sys.exit(f"plot.py: this is no report of `grosr bench --json`: it has no {error}")
    except OSError as error:
        sys.exit(f"plot.py: {error}")


if __name__ == "__main__":
    main()
