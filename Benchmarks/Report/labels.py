"""How wide texts are, and places for the labels of points."""

import re

DIRECTIONS = [
    (1, 0),
    (-1, 0),
    (0.8, -1),
    (0.8, 1),
    (-0.8, -1),
    (-0.8, 1),
    (0, -1.3),
    (0, 1.3),
    (1, -0.5),
    (1, 0.5),
    (-1, -0.5),
    (-1, 0.5),
]


def text_width(text, size):
    """Pixels that a text takes at most. Readers' fonts are not those that charts are laid out with: this is as much as the widest that
    are common, DejaVu Sans and Verdana, take.
    """

    def letter_width(letter):
        if letter in "'ijl":
            return 0.28
        if letter in " !(),-./:;IJ[\\]frt|":
            return 0.46
        if letter in "%@MWm" or not letter.isascii():
            return 1.0
        return 0.64 if letter.isdigit() or (letter.islower() and letter != "w") else 0.84

    return size * sum(map(letter_width, text))


def lines_of(text, width, size):
    """A text in lines of that many pixels: after hyphens and spaces, else within a word. Nothing is left out but spaces at ends."""
    lines = [""]
    for piece in re.findall(r"[^-\s/]*[-\s/]?", text):
        if lines[-1] and text_width((lines[-1] + piece).rstrip(), size) > width:
            lines.append("")
        for letter in piece:
            if lines[-1] and text_width(lines[-1] + letter, size) > width and letter != " ":
                lines.append("")
            lines[-1] += letter
    return [line.strip() for line in lines]


def block_width(lines, size):
    return max(text_width(line, size) for line in lines)


def place_labels(points, taken, width, height, size=12):
    """A place for each label, a list of lines: (left, middle), near its point and on no other label, point or leader, nor on what
    is `taken`.

    Vega-Lite places no labels, and these are too many to leave to chance. This is greedy: a point that
    comes late gets a place further away.
    """
    boxes = [(x - 5, y - 5, x + 5, y + 5) for (x, y), _ in points] + taken
    leaders, placed = [], []
    for point, lines in points:
        (x, y), wide, half = point, block_width(lines, size) + 4, 8 * len(lines)
        best = None
        for distance in (9, 16, 26, 40, 58, 80, 105, 130, 160, 190, 220):
            for dx, dy in DIRECTIONS:
                left = x + dx * distance - (wide if dx < 0 else wide / 2 if dx == 0 else 0)
                middle = y + dy * distance
                box = (left, middle - half, left + wide, middle + half)
                if box[0] < 0 or box[2] > width or box[1] < 0 or box[3] > height:
                    continue
                leader = between(point, leader_end(point, left, middle, lines, size))
                cost = distance + 10 * sum(overlap(box, other) for other in boxes)
                # The label's own point is no obstacle to its leader.
                cost += 80 * sum(any(holds(other, spot) for spot in leader[4:]) for other in boxes if not holds(other, point))
                cost += 200 * sum(any(holds(box, spot) for spot in other) for other in leaders)
                if best is None or cost < best[0]:
                    best = (cost, left, middle, box, leader)
            if best and best[0] <= distance:
                break
        if best is None:
            # Nowhere near: wherever it is whole.
            left, middle = max(0, min(x, width - wide)), max(half, min(y, height - half))
            best = (0, left, middle, (left, middle - half, left + wide, middle + half), [])
        boxes.append(best[3])
        leaders.append(best[4])
        placed.append(best[1:3])
    return placed


def leader_end(point, left, middle, lines, size=12):
    """Where a line from a point meets the edge of its label."""
    right, half = left + block_width(lines, size), 8 * len(lines)
    beside = left > point[0] or right < point[0]
    return min(max(point[0], left), right), middle + (0 if beside else half if middle < point[1] else -half)


def between(start, end, count=14):
    return [
        (start[0] + (end[0] - start[0]) * step / count, start[1] + (end[1] - start[1]) * step / count)
        for step in range(count + 1)
    ]


def holds(box, spot):
    return box[0] <= spot[0] <= box[2] and box[1] <= spot[1] <= box[3]


def overlap(one, other):
    return max(0, min(one[2], other[2]) - max(one[0], other[0])) * max(0, min(one[3], other[3]) - max(one[1], other[1]))
