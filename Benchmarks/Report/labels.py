"""Places for the labels of points."""

# Pixels, of 12 pixel text.
LETTER = 6.2
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


def place_labels(points, taken, width, height):
    """A place for each label: (left, middle, text), near its point and on no other label, point or leader, nor on what
    is `taken`.

    Vega-Lite places no labels, and these are too many to leave to chance. This is greedy: a point that
    comes late gets a place further away.
    """
    boxes = [(x - 5, y - 5, x + 5, y + 5) for (x, y), _ in points] + taken
    leaders, placed = [], []
    for (x, y), text in points:
        size = len(text) * LETTER + 4
        best = None
        for distance in (9, 16, 26, 40, 58, 80, 105, 130, 160, 190, 220):
            for dx, dy in DIRECTIONS:
                left = x + dx * distance - (size if dx < 0 else size / 2 if dx == 0 else 0)
                middle = y + dy * distance
                box = (left, middle - 8, left + size, middle + 8)
                if box[0] < 0 or box[2] > width or box[1] < 0 or box[3] > height:
                    continue
                leader = between((x, y), leader_end((x, y), left, middle, text))
                cost = distance + 10 * sum(overlap(box, other) for other in boxes)
                # The label's own point is no obstacle to its leader.
                cost += 80 * sum(
                    any(holds(other, spot) for spot in leader[4:]) for other in boxes if not holds(other, (x, y))
                )
                cost += 200 * sum(any(holds(box, spot) for spot in other) for other in leaders)
                if best is None or cost < best[0]:
                    best = (cost, left, middle, box, leader)
            if best and best[0] <= distance:
                break
        _, left, middle, box, leader = best or (0, x, y, (x, y, x, y), [])
        boxes.append(box)
        leaders.append(leader)
        placed.append((left, middle, text))
    return placed


def leader_end(point, left, middle, text):
    """Where a line from a point meets the edge of its label."""
    right = left + len(text) * LETTER
    beside = left > point[0] or right < point[0]
    return min(max(point[0], left), right), middle + (0 if beside else 8 if middle < point[1] else -8)


def between(start, end, count=14):
    return [
        (start[0] + (end[0] - start[0]) * step / count, start[1] + (end[1] - start[1]) * step / count)
        for step in range(count + 1)
    ]


def holds(box, spot):
    return box[0] <= spot[0] <= box[2] and box[1] <= spot[1] <= box[3]


def overlap(one, other):
    return max(0, min(one[2], other[2]) - max(one[0], other[0])) * max(0, min(one[3], other[3]) - max(one[1], other[1]))
