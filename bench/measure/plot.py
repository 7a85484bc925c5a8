"""Line charts as SVG: axes, grid, legend, nothing else."""
import math
from html import escape

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 80, 170, 40, 55
COLOURS = ("#0b62a4", "#c44f1b", "#3a8f3a", "#7c3f98", "#8a6d3b", "#555555")


def _steps(low, high, logarithmic):
    """Where the axis is marked."""
    if logarithmic:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
        return [10.0 ** power for power in range(first, last + 1)]
    rough = (high - low) / 5 or 1
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    return [step * i for i in range(math.floor(low / step), math.ceil(high / step) + 1)]


def _label(value):
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.3g}"


def _scale(low, high, start, end, logarithmic):
    change = math.log10 if logarithmic else float
    span = change(high) - change(low) or 1
    return lambda value: start + (change(value) - change(low)) / span * (end - start)


def line_chart(title, x_title, y_title, series, log_x=False):
    """The SVG text of {name: [(x, y), ...]}."""
    points = [point for line in series.values() for point in line]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x_marks = _steps(min(xs), max(xs), log_x)
    y_marks = _steps(min(0, *ys), max(ys) or 1, False)
    x_of = _scale(x_marks[0], x_marks[-1], LEFT, WIDTH - RIGHT, log_x)
    y_of = _scale(y_marks[0], y_marks[-1], HEIGHT - BOTTOM, TOP, False)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
             f'font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
             f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>',
             f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x_title)}</text>',
             f'<text transform="translate(16 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">{escape(y_title)}</text>']
    for mark in x_marks:
        parts.append(f'<path d="M{x_of(mark):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>'
                     f'<text x="{x_of(mark):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">'
                     f'{_label(mark)}</text>')
    for mark in y_marks:
        parts.append(f'<path d="M{LEFT} {y_of(mark):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
                     f'<text x="{LEFT - 8}" y="{y_of(mark) + 4:.1f}" text-anchor="end">{_label(mark)}</text>')
    for i, (name, line) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(line) <= 20:
            parts += [f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="3" fill="{colour}"/>' for x, y in line]
        y = TOP + 10 + 20 * i
        parts.append(f'<path d="M{WIDTH - RIGHT + 12} {y}h22" stroke="{colour}" stroke-width="2"/>'
                     f'<text x="{WIDTH - RIGHT + 40}" y="{y + 4}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])
